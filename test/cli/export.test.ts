import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'lorikeet-export-cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function lorikeet(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'export', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('lorikeet export', () => {
  const output = path.join(root, 'out');
  const words = ['--format', 'onnx', '--model', 'demo/base', '--output', output];

  it('writes a model for transformers.js and says what', () => {
    const { status, stdout, stderr } = lorikeet(...words, '--dtype', 'f16');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Exported in \d+ s: .*out\n/);
    expect(stdout).toContain(
      '3 graphs (vision_encoder_fp16.onnx, embed_tokens_fp16.onnx, decoder_model_merged_fp16.onnx)',
    );
    expect(stdout).toMatch(/82 weights, 2\.74 MB, f16; read back and found as written\n$/);
    expect(readdirSync(output).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'onnx',
      'preprocessor_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    // The base has none, and its config.json says where an answer ends.
    expect(JSON.parse(readFileSync(path.join(output, 'generation_config.json'), 'utf8'))).toEqual({
      eos_token_id: [446],
    });
  });

  it('tells in one line what is in the way', () => {
    const { status, stdout, stderr } = lorikeet(...words);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^Error: .*out: holds a model already\..*\n$/);
    expect(lorikeet(...words.slice(2)).stderr).toContain("required option '--format <format>' not specified");
    expect(lorikeet(...words, '--format', 'gguf').stderr).toContain('Allowed choices are onnx');
    expect(lorikeet(...words, '--overwrite').status).toBe(0);
  });
});
