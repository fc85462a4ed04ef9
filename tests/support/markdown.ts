import { readFile } from 'node:fs/promises';

/** The fenced blocks of one language in a Markdown file, in order. */
export async function fencedBlocks(file: string, language: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , block]) => block ?? '');
}
