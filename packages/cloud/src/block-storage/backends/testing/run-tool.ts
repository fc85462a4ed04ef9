import { execFile } from 'node:child_process';

export interface ToolOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a tool from outside; its output, or an error that holds it. */
export function runTool(tool: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, LC_ALL: 'C', ...options.env };
    const child = execFile(tool, [...args], { timeout: 60_000, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${tool} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
    });
    child.stdin?.end(options.input);
  });
}
