import { execFile } from 'node:child_process';

/** Runs a tool from outside; its output, or an error that holds it. */
export function runTool(tool: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(tool, args, { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${tool} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
    });
  });
}

export async function runJson(tool: string, ...args: string[]): Promise<unknown> {
  return JSON.parse(await runTool(tool, ...args));
}
