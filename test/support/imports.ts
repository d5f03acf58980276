/** What source files import, read with the TypeScript compiler: the ground that the architecture tests stand on. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** As written: `../errors.ts`, `node:fs`, `sharp`. */
  specifier: string;
  /** Erased by the compiler: `import type`, `export type`. `import { type A }` is not: the module is still loaded. */
  typeOnly: boolean;
}

/** All imports of a source text: static, re-exports, dynamic, `require`, and threads started from a file. */
export function importsOf(text: string, name = 'source.ts'): Import[] {
  const imports: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (specifier && ts.isStringLiteralLike(specifier)) imports.push({ specifier: specifier.text, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && loadsModule(node)) {
      add(node.arguments[0], false);
    } else if (ts.isNewExpression(node) && isFileOfThisModule(node)) {
      add(node.arguments?.[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
  return imports;
}

function loadsModule({ expression }: ts.CallExpression): boolean {
  if (expression.kind === ts.SyntaxKind.ImportKeyword) return true;
  const called = expression.getText();
  return called === 'require' || called === 'require.resolve';
}

/** `new URL('./worker.js', import.meta.url)` */
function isFileOfThisModule({ expression, arguments: given }: ts.NewExpression): boolean {
  return expression.getText() === 'URL' && given?.[1]?.getText() === 'import.meta.url';
}

export interface SourceFile {
  /** Relative to the folder that was read, with `/`. */
  path: string;
  lines: number;
  imports: Import[];
}

/** Every `.ts` file below a folder. */
export function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, 'utf8');
      const path = relative(folder, file).replaceAll('\\', '/');
      return { path, lines: text.trimEnd().split('\n').length, imports: importsOf(text, path) };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The file that a relative import means, as a path like those of `readSources`; undefined for a package. */
export function importedPath(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return join(dirname(from), specifier).replaceAll('\\', '/').replace(/\.js$/, '.ts');
}

/** Value imports between files: path -> paths. */
export function valueGraph(files: readonly SourceFile[]): Map<string, string[]> {
  return new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ specifier }) => importedPath(path, specifier))
        .filter((target): target is string => target?.endsWith('.ts') === true),
    ]),
  );
}

/** Files that loading `from` loads, itself with them. */
export function reached(graph: ReadonlyMap<string, readonly string[]>, from: string): Set<string> {
  const seen = new Set<string>();
  const follow = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    graph.get(path)?.forEach(follow);
  };
  follow(from);
  return seen;
}

/** One cycle as the files along it, the first again at the end; undefined where there is none. */
export function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const cycle = walk(next, [...trail, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) {
    const cycle = walk(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
