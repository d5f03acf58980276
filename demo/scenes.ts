/** Small scenes as an endoscope might show them, made from nothing but a seed. */
import { stream } from '../src/random.ts';
import { drawFacts, type SceneFacts } from './facts.ts';
import { paintScene } from './paint.ts';

export interface Scene {
  facts: SceneFacts;
  /** [SIDE * SIDE * 3] RGB bytes, row by row. */
  image: Uint8Array;
}

/** The scene of an address, e.g. `drawScene(42, 'train', 7)`: the same bytes every time. */
export function drawScene(...address: (number | string)[]): Scene {
  const facts = drawFacts(stream(...address, 'facts'));
  return { facts, image: paintScene(facts, stream(...address, 'paint')) };
}
