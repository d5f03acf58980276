import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Versions of everything that a run's numbers depend on. */
export function versions(): { lorikeet: string; node: string; onnxruntime: string } {
  return {
    lorikeet: lorikeetVersion(),
    node: process.versions.node,
    onnxruntime: versionIn(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  };
}

export function lorikeetVersion(): string {
  return versionIn(new URL('../../package.json', import.meta.url));
}

function versionIn(file: string | URL): string {
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
