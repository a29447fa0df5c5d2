-- A PostgreSQL server and the tools for it: which of them fit, how they are told of the server, and what they mean by what they say.
-- Knows nothing of results. The password travels in the environment of a tool alone, the certificates of caCert on its standard input.
local server = { debian = "/usr/lib/postgresql" } -- where Debian has a folder for each version

local SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
local ENDED = "the server at {host}:{port} ended the connection"
local NO_REPLICATION = "the user {username} may not copy a cluster: ALTER ROLE ... REPLICATION"

-- Which tools a mode of the option `mode` needs: one writes, the other reads what was written.
server.tools = { dump = { "pg_dump", "pg_restore" }, cluster = { "pg_basebackup", "pg_verifybackup" } }

-- What the tools say, and what it means: %1 is what was captured, {name} a field of the connection. field: the option it is about.
-- mayPass: asked again, it may go well.
local reasons = {
  { "password authentication failed", "wrong password for the user {username} at {host}:{port}" },
  { "no password supplied", "the server at {host}:{port} wants a password, and the connection has none" },
  { "could not translate host name", "there is no host {host}" },
  { "Connection refused", "no server answers at {host}:{port}" },
  { "No such file or directory\n%s*Is the server", "no server answers at {host}:{port}" },
  { "timeout expired", "no server answers at {host}:{port} in time" },
  { "no pg_hba.conf entry for ([^\n]+)", "the server at {host}:{port} lets nobody in that it has no pg_hba.conf entry for: %1" },
  { 'FATAL:  database "(.-)" does not exist', "there is no database %1 at {host}:{port}", field = "database" },
  { "to start walsender", NO_REPLICATION, field = "mode" },
  { "to start WAL sender", NO_REPLICATION, field = "mode" },
  { "([^\n]-): No space left on device", "no space is left: %1" },
  { "FATAL:  (the database system is [^\n]+)", "%1", mayPass = true },
  { "FATAL:  (sorry, too many clients[^\n]*)", "%1", mayPass = true },
  { "FATAL:  (too many connections[^\n]*)", "%1", mayPass = true },
  { "FATAL:  (remaining connection slots[^\n]*)", "%1", mayPass = true },
  { "server closed the connection unexpectedly", ENDED }, { "SSL SYSCALL error: EOF", ENDED }, { "terminating connection", ENDED },
  { "FATAL:  ([^\n]+)", "%1" },
  { "ERROR:  ([^\n]+)", "%1" },
  { "error: ([^\n]+)", "%1" },
  { "([^\n]+)", "%1" },
}

-- What went wrong in one line, and the entry of `reasons`.
function server.explain(connection, output)
  for _, reason in ipairs(reasons) do
    local found = output:match(reason[1])
    if found then
      local text = reason[2]:gsub("{(%w+)}", function(name) return tostring(connection[name]) end)
      return (text:gsub("%%1", function() return found end)), reason
    end
  end
  return "it gave no reason", {}
end

-- What a function that waits answers, or nil and why it could not; a deadline and a cancel are the runtime's to deal with.
function server.try(what, ...)
  local ok, answer = pcall(what, ...)
  if ok then return answer end
  if type(answer) ~= "table" or answer.code == "deadline" or answer.code == "cancelled" then error(answer, 0) end
  return nil, answer.message
end

-- The output of a tool that changes nothing; or nil, why, and the entry of `reasons`.
function server.run(connection, options)
  options.safe = true
  local done, why = server.try(process.run, options)
  if not done then return nil, why, {} end
  if done.code == 0 then return done.stdout end
  return nil, server.explain(connection, done.stderr)
end

-- Where the tools for a server of that major version lie: those of the same version, else the next newer, else the newest there are. With
-- a slash at its end; "": they are in PATH.
local function folderFor(connection, major)
  if connection.config.binDir then return connection.config.binDir .. "/" end
  local versions, best = {}, nil
  for _, name in ipairs(fs.exists(server.debian) and fs.list(server.debian) or {}) do
    if tonumber(name) and fs.exists(server.debian .. "/" .. name .. "/bin/psql") then versions[#versions + 1] = tonumber(name) end
  end
  table.sort(versions)
  for _, version in ipairs(versions) do
    best = version
    if version >= (major or math.huge) then break end
  end
  return best and server.debian .. "/" .. best .. "/bin/" or ""
end

-- The folder of the tools of a mode, and their version; or nil and why none will do.
function server.toolsFor(connection, mode, major)
  local folder, version = folderFor(connection, major), nil
  for _, tool in ipairs(server.tools[mode]) do
    local output, why = server.run(connection, { argv = { folder .. tool, "--version" } })
    if not output then return nil, why end
    version = tonumber(output:match("%) (%d+)")) or 0
    if version < major then
      return nil, string.format("%s %d is too old for PostgreSQL %d: install postgresql-client-%d, or set binDir", tool, version, major, major)
    end
  end
  return folder, version
end

-- What process.run and job.start take to run a tool on a database; name: what its sessions are called in pg_stat_activity.
function server.spawn(connection, database, name, argv)
  local caCert = connection.caCert
  local mode = connection.config.sslMode or (caCert and "verify-full") or nil
  local certificates = caCert and "/dev/stdin" or (mode and mode:find("^verify") and SYSTEM_CERTIFICATES) or nil
  local env = { PGHOST = connection.host, PGPORT = connection.port, PGUSER = connection.username, PGPASSWORD = connection.password,
    PGDATABASE = database, PGAPPNAME = name, PGCONNECT_TIMEOUT = 10, PGSSLMODE = mode, PGSSLROOTCERT = certificates, LC_ALL = "C" }
  return { argv = argv, env = env, stdin = caCert }
end

-- The answer of the server to a statement; or nil, why, and the entry of `reasons`.
function server.ask(connection, database, statement)
  if connection.tlsFingerprint then return nil, "PostgreSQL's tools check no tlsFingerprint: give the certificate as caCert", {} end
  local argv = { folderFor(connection) .. "psql", "--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--command=" .. statement }
  return server.run(connection, server.spawn(connection, database, "orrery", argv))
end

local ABOUT = [[select json_build_object('version', current_setting('server_version_num')::int, 'size', pg_database_size(current_database()),
  'mayCopy', coalesce((select rolsuper or rolreplication from pg_roles where rolname = current_user), false),
  'tablespaces', coalesce((select json_object_agg(oid::text, pg_tablespace_location(oid)) from pg_tablespace
    where pg_tablespace_location(oid) <> ''), '{}'))]]

-- What a backup of that mode has to know of its server, and of the tools for it; or nil, why, and the entry of `reasons`.
function server.examine(connection, database, mode)
  local output, why, reason = server.ask(connection, database, ABOUT)
  if not output then return nil, why, reason end
  local about = json.decode(output)
  if mode == "cluster" and about.version < 130000 then return nil, "before PostgreSQL 13 a copy has no manifest to verify it by", { field = "mode" } end
  if mode == "cluster" and not about.mayCopy then return nil, server.explain(connection, "to start walsender") end
  local major = math.floor(about.version / 10000)
  local folder, version = server.toolsFor(connection, mode, major)
  if not folder then return nil, version, {} end
  return { mode = mode, major = major, folder = folder, tools = version, databaseSize = about.size, tablespaces = about.tablespaces }
end

return server
