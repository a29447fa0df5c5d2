-- job: local tools that outlive the runtime. A job is known by its name within the result (or, in hooks without a result, the
-- Backup) that the hook is about; hooks about several results pass the one that is meant as the last argument.
local raw, lib, core = ...

local concat, max = table.concat, math.max
local await, check, string = core.await, core.check, lib.string

local TAIL_BYTES = 65536
local LINES_BYTES = 1048576

local job = {}

---@alias JobStatus { state: "absent"|"starting"|"running"|"ended"|"lost", code: integer?, signal: integer?, cancelled: boolean, startDate: number?, endDate: number?, message: string? }
---  code and signal: of an ended one (code is -1 if a signal ended it); lost: it died with the machine or was killed; dates in ms

---Starts a program as a job, or finds the one of that name which was started before: it can always be run again, so it is no
---mutating act. Answers when the tool was executed. Needs `needs.exec`.
---Raises { code = "no_program" (names the Debian package) | "denied" | "invalid" | "io", message, retryable }.
---@param options { name: string, argv: string[], env: table?, stdin: string?, timeout: number?, grace: number?, split: boolean?, cwd: string?, result: table? }
---  name: letters, digits, - _ . only. env: added to PATH, HOME, LANG, TMPDIR and USER of ours; like stdin kept nowhere.
---  timeout: seconds until it is ended. grace: seconds between TERM and KILL, 10 if not given. split: keep stdout apart, as stream "out"
---@return JobStatus
function job.start(options)
  return (await(raw.start(options)))
end

---How a job is doing; looks only. A name that was never started is "absent".
---@param name string
---@param result? table the BackupResult or Backup that is meant
---@return JobStatus
function job.poll(name, result)
  return (await(raw.poll(name, result)))
end

---Asks a job to end and returns at once; job.poll tells when it has. Nothing runs: fine.
---@param name string
---@param result? table
function job.cancel(name, result)
  await(raw.cancel(name, result))
end

local readOptions = { stream = "string", from = "number", max = "number" }

---Output of a job, from a byte offset.
---@param name string
---@param options? { stream: "log"|"out"|nil, from: number?, max: number? } stream: "log" (both outputs) if not given; from: 0, negative
---  counts from the end; max: bytes, 65,536 if not given, at most 1 MiB
---@param result? table
---@return string text, number next where the next read goes on
function job.read(name, options, result)
  options = check(options or {}, "job.read", readOptions)
  return await(raw.read(name, options.stream, options.from, options.max, result))
end

local function splitLines(text)
  local lines, at = {}, 1
  while true do
    local stop = string.find(text, "\n", at, true)
    if not stop then return lines, at - 1 end
    lines[#lines + 1] = string.gsub(string.sub(text, at, stop - 1), "\r$", "")
    at = stop + 1
  end
end

---The last lines of a job's output (of its last 64 KiB), for an error message.
---@param name string
---@param count? integer 10 if not given
---@param stream? "log"|"out"
---@param result? table
---@return string text lines joined by newlines, without the last newline; "" if there is nothing
function job.tail(name, count, stream, result)
  local text = await(raw.read(name, stream or "log", -TAIL_BYTES, TAIL_BYTES, result))
  local lines, rest = splitLines(text)
  if rest < #text then lines[#lines + 1] = string.sub(text, rest + 1) end
  return concat(lines, "\n", max(1, #lines - (count or 10) + 1))
end

---The whole lines a job has written since the cursor, at most 1 MiB of them; a line still being written is left for the next time.
---Keep the cursor in the result: `backupResult:setConfigProperty("cursor", cursor)`.
---@param name string
---@param cursor? number what the last call answered; nil: from the beginning
---@param stream? "log"|"out"
---@param result? table
---@return string[] lines, number cursor
function job.lines(name, cursor, stream, result)
  local text, next = await(raw.read(name, stream or "log", cursor or 0, LINES_BYTES, result))
  local lines, used = splitLines(text)
  if used == 0 and #text == LINES_BYTES then return { text }, next end -- one line longer than we hold: cut
  return lines, next - (#text - used)
end

return job
