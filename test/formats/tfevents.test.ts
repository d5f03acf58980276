import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  encodeFileVersion,
  encodeScalars,
  frameRecord,
  openEventFile,
  type ScalarEvent,
} from '../../src/formats/tfevents.ts';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tfevents/${name}`, import.meta.url));
const told: { wallTime: number; events: ScalarEvent[] } = JSON.parse(fixture('events.json').toString());

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-tfevents-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'events.out.tfevents.lorikeet');
}

/** A Python that has TensorBoard: the one named by LORIKEET_PYTHON, else the one on the path. */
const python = process.env.LORIKEET_PYTHON ?? 'python3';
const hasTensorBoard = (() => {
  try {
    execFileSync(python, ['-c', 'import tensorboard.backend.event_processing.event_accumulator'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
})();

const readBack = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0}).Reload()
print(json.dumps({tag: [[e.step, e.wall_time, e.value] for e in found.Scalars(tag)] for tag in found.Tags()['scalars']}))
`;

function readWithTensorBoard(file: string): Record<string, [number, number, number][]> {
  return JSON.parse(
    execFileSync(python, ['-c', readBack, file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
}

describe('TensorBoard event files', () => {
  it('hold, record by record, the bytes that the official package writes', () => {
    const expected = splitRecords(fixture('scalars.tfevents'));
    const written = [encodeFileVersion(told.wallTime), ...told.events.map(encodeScalars)].map(frameRecord);
    expect(written).toHaveLength(expected.length);
    for (const [i, record] of written.entries()) {
      expect(Buffer.from(record).toString('hex'), `record ${i}`).toBe(expected[i].toString('hex'));
    }
  });

  it('are whole after every event', () => {
    const file = temporaryFile();
    const expected = fixture('scalars.tfevents');
    const events = openEventFile(file, told.wallTime);
    for (const event of told.events) {
      events.add(event);
      const bytes = readFileSync(file);
      expect(expected.subarray(0, bytes.length).equals(bytes)).toBe(true);
      expect(splitRecords(bytes).reduce((sum, { length }) => sum + length, 0)).toBe(bytes.length);
    }
    events.close();
    expect(readFileSync(file).equals(expected)).toBe(true);
  });

  it('start anew where a file stands already', () => {
    const file = temporaryFile();
    const first = openEventFile(file, told.wallTime);
    for (const event of told.events) first.add(event);
    first.close();
    openEventFile(file, told.wallTime).close();
    expect(splitRecords(readFileSync(file))).toHaveLength(1);
  });
});

describe.skipIf(!hasTensorBoard)('TensorBoard event files in Python with tensorboard', () => {
  it('are read back by the official package', () => {
    const file = temporaryFile();
    const events = openEventFile(file, told.wallTime);
    for (const event of told.events) events.add(event);
    events.close();
    const scalars = readWithTensorBoard(file);
    const expected = told.events.flatMap(({ step, wallTime, scalars }) =>
      scalars.map(({ tag, value }) => ({ tag, point: [step, wallTime, Math.fround(value)] })),
    );
    const found = Object.entries(scalars).flatMap(([tag, points]) => points.map((point) => ({ tag, point })));
    expect(found).toHaveLength(expected.length);
    expect(found).toEqual(expect.arrayContaining(expected));
  });

  it('are read up to a cut that a crash left', () => {
    const file = temporaryFile();
    const events = openEventFile(file, told.wallTime);
    for (const event of told.events) events.add(event);
    events.close();
    truncateSync(file, readFileSync(file).length - 5);
    expect(Object.keys(readWithTensorBoard(file))).not.toContain('time/memory_bytes');
    expect(Object.keys(readWithTensorBoard(file))).toContain('épreuve/perte');
  });
});

/** By the lengths alone: 8 bytes of length, 4 of its checksum, the data, 4 of theirs. */
function splitRecords(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 16 + Number(bytes.readBigUInt64LE(at));
    records.push(bytes.subarray(at, end));
    at = end;
  }
  return records;
}
