import { encodeExample, encodePrompt } from '../data/encode.ts';
import type { Encoded, Example, Grid, ImageReference } from '../data/example.ts';
import { decodeImage, imageSize } from '../data/image/decode.ts';
import { withPlace } from '../data/place.ts';
import type { ImagePatches, Processor } from '../data/processor.ts';
import { type ChatTokenizer, loadTokenizer } from '../data/tokenizer.ts';
import { LorikeetError } from '../errors.ts';
import { checkModelFolder } from '../formats/checkpoint-folder.ts';
import { checkSpecialTokens, loadModelConfig } from '../models/qwen2-vl/config.ts';
import { loadProcessor, type PixelLimits } from '../models/qwen2-vl/processor.ts';
import type { Sample } from './step.ts';

/** Everything that decides what an example becomes; plain data, so that another thread can build the same. */
export interface EncoderSettings {
  modelDir: string;
  image: PixelLimits;
  maxLength: number;
}

/** From examples to what the model reads. */
export interface Encoder {
  tokenizer: ChatTokenizer;
  processor: Processor;
  /** Values of one patch. */
  patchLength: number;
  /** Tokens alone: of a picture only its header is read. */
  encode(example: Example): Promise<Encoded>;
  /** Tokens and pixels. */
  load(example: Example): Promise<Sample>;
  /** The same of a conversation that waits for its answer; `picture` is for those who have read some already. */
  loadPrompt(example: Example, picture?: Encoder['picture']): Promise<Sample>;
  /** Decodes a picture and cuts it into patches. */
  picture(image: ImageReference): Promise<ImagePatches>;
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
  const encodeWith = (example: Example, grids: Grid[]) =>
    encodeExample(example, { tokenizer, imageTokenId, grids, tokenCount, maxLength });
  const picture = async (image: ImageReference) => processor.patches(await decodeImage(image));
  const load = async (
    example: Example,
    encode: (example: Example, grids: Grid[]) => Encoded,
    read: Encoder['picture'] = picture,
  ) => {
    const images = await eachImage(example, read);
    const grids = images.map(({ grid }) => grid);
    return { encoded: encode(example, grids), patches: images.map(({ values }) => values) };
  };
  const gridOf = rememberPaths(async (image) => {
    const { width, height } = await imageSize(image);
    return processor.gridFor(width, height);
  });
  return {
    tokenizer,
    processor,
    patchLength: config.vision.inChannels * config.vision.temporalPatchSize * config.vision.patchSize ** 2,
    encode: async (example) => encodeWith(example, await eachImage(example, gridOf)),
    load: (example) => load(example, encodeWith),
    loadPrompt: (example, read) =>
      load(
        example,
        (prompt, grids) => encodePrompt(prompt, { tokenizer, imageTokenId, grids, tokenCount }),
        read,
      ),
    picture,
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

/** Many rows ask about one picture. */
function rememberPaths(
  read: (image: ImageReference) => Promise<Grid>,
): (image: ImageReference) => Promise<Grid> {
  const known = new Map<string, Promise<Grid>>();
  return (image) => {
    if (!('path' in image)) return read(image);
    const grid = known.get(image.path) ?? read(image);
    known.set(image.path, grid);
    return grid;
  };
}

/** In the conversation's order; errors name the row, and the picture where they do not yet. */
function eachImage<T>({ row, turns }: Example, read: (image: ImageReference) => Promise<T>): Promise<T[]> {
  const parts = turns.flatMap((turn) => turn.content);
  const images = parts.flatMap((part) => (part.type === 'image' ? [part.image] : []));
  return Promise.all(
    images.map(async (image) => {
      try {
        return await read(image);
      } catch (error) {
        throw withPlace(error, { row, ...('path' in image ? { file: image.path } : {}) });
      }
    }),
  );
}
