import type { Config } from '../config/schema.ts';
import { encodeExample, encodePrompt } from '../data/encode.ts';
import type { Encoded, Example, Grid, ImageReference } from '../data/example.ts';
import { eachImage } from '../data/example-images.ts';
import { contentOf } from '../data/image/content.ts';
import { type DecodedImage, type DecodeOptions, decodeImage, imageSize } from '../data/image/decode.ts';
import { keyOf } from '../data/image/source.ts';
import type { Processor } from '../data/processor.ts';
import { type ChatTokenizer, loadTokenizer } from '../data/tokenizer.ts';
import { LorikeetError } from '../errors.ts';
import { checkModelFolder } from '../formats/checkpoint-folder.ts';
import { checkSpecialTokens, loadModelConfig, type Qwen2VLConfig } from '../models/qwen2-vl/config.ts';
import { loadProcessor, type PixelLimits } from '../models/qwen2-vl/processor.ts';
import type { Sample, SampleImage } from './step.ts';

/** Everything that decides what an example becomes; plain data, so that another thread can build the same. */
export interface EncoderSettings {
  modelDir: string;
  image: PixelLimits & DecodeOptions;
  maxLength: number;
}

export function encoderSettings({ model, image, data }: Config): EncoderSettings {
  return { modelDir: model, image, maxLength: data.maxLength };
}

/** Gives a picture's embedding, where it is known. */
export type FindEmbedding = (image: Pick<SampleImage, 'content' | 'grid'>) => Float32Array | undefined;

/** The picture at a place in a conversation, counted from 0. */
export type ReadPicture = (image: ImageReference, place: number) => Promise<SampleImage>;

/** From examples to what the model reads. */
export interface Encoder {
  tokenizer: ChatTokenizer;
  processor: Processor;
  /** Values of one patch. */
  patchLength: number;
  /** V, the rows of the head. */
  vocabulary: number;
  imageTokenId: number;
  /** Ids that stand for pictures and their borders, never for words. */
  visionTokens: ReadonlySet<number>;
  /** Tokens alone: of a picture only its header is read. */
  encode(example: Example): Promise<Encoded>;
  /** The same where the grids are known already, one for each picture in the conversation's order. */
  encodeWith(example: Example, grids: readonly Grid[]): Encoded;
  /** A picture's pixels as `load` sees them. */
  decode(image: ImageReference): Promise<DecodedImage>;
  /** Tokens and pixels; `picture` is for those who know some already. */
  load(example: Example, picture?: ReadPicture): Promise<Sample>;
  /** The same of a conversation that waits for its answer. */
  loadPrompt(example: Example, picture?: ReadPicture): Promise<Sample>;
  /** Decodes a picture and cuts it into patches; not where `find` has an embedding of what it holds. */
  picture(image: ImageReference, find?: FindEmbedding): Promise<SampleImage>;
}

/** Throws `tokenizer` and `checkpoint` errors for files of the model folder that do not fit each other. */
export async function createEncoder({ modelDir, image, maxLength }: EncoderSettings): Promise<Encoder> {
  await checkModelFolder(modelDir);
  const [tokenizer, processor, config] = await Promise.all([
    loadTokenizer(modelDir),
    loadProcessor(modelDir, image),
    loadModelConfig(modelDir),
  ]);
  checkVocabulary(tokenizer, config.text.vocabSize);
  checkSpecialTokens(config, (token) => tokenizer.specialTokens.get(token), modelDir);
  const { imageTokenId } = config;
  const { tokenCount } = processor;
  const encodeWith = (example: Example, grids: readonly Grid[]) =>
    encodeExample(example, { tokenizer, imageTokenId, grids, tokenCount, maxLength });
  const decode = (reference: ImageReference) => decodeImage(reference, image);
  const picture: Encoder['picture'] = async (reference, find) => {
    const image = await decode(reference);
    const known = { grid: processor.gridFor(image.width, image.height), content: contentOf(image) };
    const embedding = find?.(known);
    return embedding ? { ...known, embedding } : { ...known, patches: processor.patches(image).values };
  };
  const load = async (
    example: Example,
    encode: (example: Example, grids: Grid[]) => Encoded,
    read: ReadPicture = (image) => picture(image),
  ) => {
    const images = await eachImage(example, read);
    const grids = images.map(({ grid }) => grid);
    return { encoded: encode(example, grids), images };
  };
  const gridOf = rememberGrids(async (reference) => {
    const { width, height } = await imageSize(reference);
    return processor.gridFor(width, height);
  });
  return {
    tokenizer,
    processor,
    patchLength: config.vision.inChannels * config.vision.temporalPatchSize * config.vision.patchSize ** 2,
    vocabulary: config.text.vocabSize,
    imageTokenId,
    visionTokens: visionTokensOf(config, tokenizer),
    encode: async (example) => encodeWith(example, await eachImage(example, gridOf)),
    encodeWith,
    decode,
    picture,
    load: (example, read) => load(example, encodeWith, read),
    loadPrompt: (example, read) =>
      load(
        example,
        (prompt, grids) => encodePrompt(prompt, { tokenizer, imageTokenId, grids, tokenCount }),
        read,
      ),
  };
}

function checkVocabulary(tokenizer: ChatTokenizer, rows: number): void {
  if (tokenizer.vocabularySize <= rows) return;
  throw new LorikeetError('tokenizer', {
    file: tokenizer.folder,
    what: `tokenizer expected at most ${rows} ids, the rows of the embedding, got ${tokenizer.vocabularySize}`,
    fix: 'Take the tokenizer files and the config.json of the same checkpoint.',
  });
}

/** Those that config.json names, and what the tokenizer calls so beside them: `<|vision_pad|>`, `<|video_pad|>`. */
function visionTokensOf(config: Qwen2VLConfig, { specialTokens }: ChatTokenizer): ReadonlySet<number> {
  const named = [...specialTokens].filter(([token]) => /vision|image|video/.test(token)).map(([, id]) => id);
  return new Set([config.imageTokenId, config.visionStartTokenId, config.visionEndTokenId, ...named]);
}

/** Many rows ask about one picture. */
function rememberGrids(
  read: (image: ImageReference) => Promise<Grid>,
): (image: ImageReference) => Promise<Grid> {
  const known = new Map<string, Promise<Grid>>();
  return (image) => {
    const key = keyOf(image);
    const grid = known.get(key) ?? read(image);
    known.set(key, grid);
    return grid;
  };
}
