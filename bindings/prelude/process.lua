-- process: runs a program and waits for its end.
local raw, _, core = ...
local await = core.await

local process = {}

---Runs a program and answers how it ended, whatever its exit code. Counts as a mutating act unless `safe`. Needs `needs.exec`.
---Raises { code = "no_program" (names the Debian package) | "timeout" | "cancelled" | "denied" | "io", message, retryable }; a timeout's
---error has stdout and stderr, too.
---@param options { argv: string[], env: table<string, string|number|boolean>?, stdin: string?, timeout: number?, safe: boolean?, cwd: string? }
---  argv: the program (looked up in PATH) and its arguments; no shell. env: added to PATH, HOME, LANG, TMPDIR and USER of ours.
---  stdin: its input, else none. timeout: seconds, at most what is left of the hook. safe: it changes nothing. cwd: folder to run in, else /.
---@return { code: integer, signal: integer, stdout: string, stderr: string, truncated: boolean } result code is -1 if a signal ended it;
---  each stream is kept up to 16 MiB, then truncated is true
function process.run(options)
  return (await(raw.run(options)))
end

---Where a program is in PATH.
---@param name string
---@return string? path nil: not installed
process.find = raw.find

return process
