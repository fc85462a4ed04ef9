/** What a guest wrote to its console as text: bytes that are not UTF-8, and NULs, become U+FFFD. */
export function consoleText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8').decode(bytes).replaceAll('\0', '\uFFFD');
}

/** The last lines, as Nova's _tail_log; null or a negative number = everything. */
export function tailLines(text: string, lines: number | null): string {
  if (lines === null || lines < 0) return text;
  return lines === 0 ? '' : text.split('\n').slice(-lines).join('\n');
}
