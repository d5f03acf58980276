import { LorikeetError } from '../../errors.ts';
import type { ContentPart, Role, Turn } from '../example.ts';
import { ownSource, resolveImage } from './image-source.ts';
import { isRecord, type JsonObject, named, own } from './own.ts';
import type { PictureFolders } from './picture-folders.ts';

/**
 * Rows that are conversations: `messages` with `role` and `content`, and LLaVA's `conversations` with `from` and
 * `value`. Pictures stand where a part of type `image` or `image_url` stands. Where a row has no such part, each
 * `<image>` in a user's text is a place for one of the row's images; apart from these marks every text stays as it
 * is, the line break after a mark too (as LLaMA-Factory and ms-swift keep it; some scripts drop it).
 */
export function conversationTurns(
  row: JsonObject,
  turns: unknown[],
  imageColumn: string,
  folders: PictureFolders,
): Turn[] {
  const drafts = turns.map(draftTurn);
  const hasParts = drafts.some(({ content }) => content.some((part) => part.type === 'image'));
  if (!hasParts)
    for (const draft of drafts) if (draft.role === 'user') draft.content = splitMarkers(draft.content);
  const places = drafts.flatMap(({ content }) => content.filter((part) => part.type === 'image'));
  placeImages(places, rowImages(row, imageColumn));
  return drafts.map(({ role, content }) => ({
    role,
    content: content.map((part): ContentPart => {
      return part.type === 'text' ? part : { type: 'image', image: resolveImage(part.source, folders) };
    }),
  }));
}

type DraftPart = { type: 'text'; text: string } | ImagePlace;

/** A picture's place; `source` is undefined while it waits for one of the row's images. */
interface ImagePlace {
  type: 'image';
  source?: unknown;
}

interface DraftTurn {
  role: Role;
  content: DraftPart[];
}

const roles = new Map<unknown, Role>([
  ['system', 'system'],
  ['developer', 'system'],
  ['user', 'user'],
  ['human', 'user'],
  ['assistant', 'assistant'],
  ['gpt', 'assistant'],
]);

function draftTurn(turn: unknown, index: number): DraftTurn {
  if (!isRecord(turn)) throw wrongTurn(index, 'a turn with a role and a content', turn);
  const name = own(turn, 'role') ?? own(turn, 'from');
  const role = roles.get(name);
  if (role === undefined) throw wrongTurn(index, `a role of ${[...roles.keys()].join(', ')}`, name);
  const content = own(turn, 'content') ?? own(turn, 'value');
  if (typeof content === 'string') return { role, content: [{ type: 'text', text: content }] };
  if (!Array.isArray(content)) throw wrongTurn(index, 'its content as text or a list of parts', content);
  return { role, content: content.map((part) => draftPart(part, index)) };
}

/** Types as Hugging Face and Qwen (`image`), OpenAI chat (`image_url`) and OpenAI responses (`input_...`) write them. */
function draftPart(part: unknown, index: number): DraftPart {
  if (typeof part === 'string') return { type: 'text', text: part };
  if (!isRecord(part)) throw wrongTurn(index, 'a text or image part', part);
  const type = own(part, 'type') ?? (own(part, 'text') === undefined ? 'image' : 'text');
  switch (type) {
    case 'text':
    case 'input_text':
    case 'output_text': {
      const text = own(part, 'text');
      if (typeof text !== 'string') throw wrongTurn(index, 'the text of a text part', text);
      return { type: 'text', text };
    }
    case 'image':
      return { type: 'image', source: ownSource(part) };
    case 'image_url':
    case 'input_image': {
      const source = ownSource(part);
      if (source === undefined) throw wrongTurn(index, `the image_url of a part of type ${type}`, source);
      return { type: 'image', source };
    }
    default:
      throw wrongTurn(index, 'parts of type text, image or image_url', type);
  }
}

function wrongTurn(index: number, expected: string, got: unknown): LorikeetError {
  return new LorikeetError('data', {
    what: `turn ${index} expected ${expected}, got ${named(got)}`,
    fix: 'Write turns as {"role": "user", "content": "..."} or with a list of text and image parts.',
  });
}

const marker = '<image>';

function splitMarkers(content: DraftPart[]): DraftPart[] {
  return content.flatMap((part) => {
    if (part.type === 'image') return [part];
    return part.text
      .split(marker)
      .flatMap((text, i): DraftPart[] => [
        ...(i > 0 ? [{ type: 'image' as const }] : []),
        ...(text === '' ? [] : [{ type: 'text' as const, text }]),
      ]);
  });
}

function rowImages(row: JsonObject, column: string): unknown[] {
  const value = own(row, column);
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** Hands the row's images to the places that wait for one, in order; both must be equally many. */
function placeImages(places: ImagePlace[], images: unknown[]): void {
  const waiting = places.filter(({ source }) => source === undefined);
  const listedTwice = waiting.length === 0 && images.length === places.length;
  if (listedTwice) return;
  if (waiting.length !== images.length) {
    throw new LorikeetError('data', {
      what: `as many images as places for them expected, got ${images.length} images and ${waiting.length} places (${marker} in a user's text, or image parts without a file of their own)`,
      fix: `Put one ${marker}, or one {"type": "image"} part, where each picture belongs.`,
    });
  }
  waiting.forEach((place, i) => {
    place.source = images[i];
  });
}
