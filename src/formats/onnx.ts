/** Writes ONNX files (onnx.proto3, opset 21). Knows the wire format and nothing of what a graph means. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** ONNX's TensorProto.DataType of the types we use. */
export const onnxType = { f32: 1, u8: 2, i32: 6, i64: 7, bool: 9, f16: 10, bf16: 16 } as const;
export type OnnxType = keyof typeof onnxType;

export type OnnxAttribute = number | string | readonly number[] | { float: number };

export interface OnnxNode {
  /** For people, and for optimizers that derive the names of new nodes from it; unique where given. */
  name?: string;
  op: string;
  /** '' is ONNX's own; 'com.microsoft' holds ONNX Runtime's contributed ops. */
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, OnnxAttribute>;
}

export interface OnnxInitializer {
  name: string;
  type: OnnxType;
  dims: readonly number[];
  /** Bytes inside the model, or a range of another file, relative to the folder given to the session. */
  data: Uint8Array | { file: string; offset: number; length: number };
}

export interface OnnxPort {
  name: string;
  type: OnnxType;
  dims: readonly (number | string)[];
}

export interface OnnxModel {
  nodes: readonly OnnxNode[];
  initializers: readonly OnnxInitializer[];
  inputs: readonly OnnxPort[];
  outputs: readonly OnnxPort[];
}

export function encodeOnnx(model: OnnxModel): Uint8Array {
  const out = new BinaryWriter();
  out.tag(1, WireType.Varint).int64(10); // ir_version
  out.tag(2, WireType.LengthDelimited).string('lorikeet');
  message(out, 7, (graph) => {
    for (const node of model.nodes) message(graph, 1, (field) => writeNode(field, node));
    graph.tag(2, WireType.LengthDelimited).string('step');
    for (const initializer of model.initializers)
      message(graph, 5, (field) => writeInitializer(field, initializer));
    for (const port of model.inputs) message(graph, 11, (field) => writePort(field, port));
    for (const port of model.outputs) message(graph, 12, (field) => writePort(field, port));
  });
  for (const [domain, version] of [
    ['', 21],
    ['com.microsoft', 1],
  ] as const)
    message(out, 8, (field) => {
      field.tag(1, WireType.LengthDelimited).string(domain);
      field.tag(2, WireType.Varint).int64(version);
    });
  return out.finish();
}

function message(out: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  out.tag(field, WireType.LengthDelimited).fork();
  write(out);
  out.join();
}

function writeNode(out: BinaryWriter, { name, op, domain, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) out.tag(1, WireType.LengthDelimited).string(input);
  for (const output of outputs) out.tag(2, WireType.LengthDelimited).string(output);
  if (name !== undefined) out.tag(3, WireType.LengthDelimited).string(name);
  out.tag(4, WireType.LengthDelimited).string(op);
  for (const [key, value] of Object.entries(attributes))
    message(out, 5, (field) => writeAttribute(field, key, value));
  if (domain !== '') out.tag(7, WireType.LengthDelimited).string(domain);
}

function writeAttribute(out: BinaryWriter, name: string, value: OnnxAttribute): void {
  const type = (code: number) => out.tag(20, WireType.Varint).int32(code);
  out.tag(1, WireType.LengthDelimited).string(name);
  if (typeof value === 'number') {
    out.tag(3, WireType.Varint).int64(value);
    type(2);
  } else if (typeof value === 'string') {
    out.tag(4, WireType.LengthDelimited).string(value);
    type(3);
  } else if ('float' in value) {
    out.tag(2, WireType.Bit32).float(value.float);
    type(1);
  } else {
    for (const item of value) out.tag(8, WireType.Varint).int64(item);
    type(7);
  }
}

function writeInitializer(out: BinaryWriter, { name, type, dims, data }: OnnxInitializer): void {
  for (const dim of dims) out.tag(1, WireType.Varint).int64(dim);
  out.tag(2, WireType.Varint).int32(onnxType[type]);
  out.tag(8, WireType.LengthDelimited).string(name);
  if (data instanceof Uint8Array) {
    out.tag(9, WireType.LengthDelimited).bytes(data);
    return;
  }
  const entries = { location: data.file, offset: String(data.offset), length: String(data.length) };
  for (const [key, value] of Object.entries(entries))
    message(out, 13, (field) => {
      field.tag(1, WireType.LengthDelimited).string(key);
      field.tag(2, WireType.LengthDelimited).string(value);
    });
  out.tag(14, WireType.Varint).int32(1); // data_location: EXTERNAL
}

function writePort(out: BinaryWriter, { name, type, dims }: OnnxPort): void {
  out.tag(1, WireType.LengthDelimited).string(name);
  message(out, 2, (typeProto) =>
    message(typeProto, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(onnxType[type]);
      message(tensor, 2, (shape) => {
        for (const dim of dims)
          message(shape, 1, (field) => {
            if (typeof dim === 'number') field.tag(1, WireType.Varint).int64(dim);
            else field.tag(2, WireType.LengthDelimited).string(dim);
          });
      });
    }),
  );
}
