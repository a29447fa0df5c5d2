"""What is done wrong on purpose: (vendor, the row that must catch it, what is wrong, (file, text, other text)). A matrix that cannot fail shows nothing."""

CONTROLS = [
    ("digitalocean", "kill-after-post", "takes what it does not see for absent",
     ("init.lua", "function provider.recoverBackupResult(backupResult, opts)\n",
      "function provider.recoverBackupResult(backupResult, opts)\n  do return ServiceResponse.success { found = false } end\n")),
    ("digitalocean", "unknown-state", "takes an unknown word for an end", ("init.lua", "    external.unknownStatus(backupResult, \"DigitalOcean\", status)", "    backupResult.status = 'FAILED'")),
    ("digitalocean", "paging", "reads one page only", ("init.lua", "return said.links and said.links.pages and said.links.pages.next", "return nil")),
    ("digitalocean", "delete", "takes a refusal for a deletion", ("init.lua", "  return external.deletion(", "  if reply.status ~= 409 then return true end\n  return external.deletion(")),
    ("nutanix-central", "lost-for-good", "starts anew what it cannot see",
     ("init.lua", "  return external.lookAgain(why", "  if opts.attempt > 1 then return ServiceResponse.success { found = false } end\n  return external.lookAgain(why")),
    ("nutanix-central", "cancel-running", "says that it has cancelled", ("init.lua", 'return false, "Prism cannot cancel', 'return true, "Prism cannot cancel')),
    ("upcloud", "partial-failure", "leaves the parts of what has failed", ("init.lua", '  if backupResult.status == "SUCCEEDED" then return true end', "  do return true end")),
    ("rubrik-vmware", "unauthorized-midrun", "does not end its sessions", ("api.lua", "    if not value.id then return end", "    if true then return end")),
    ("rubrik-vmware", "rate-limited", "sends its POST twice",
     ("init.lua", "  return external.started(backupResult",
      "  api.call(backup.connection, 'POST', { 'vmware', 'vm', vm, 'snapshot' })\n  return external.started(backupResult")),
    ("rubrik-vmware", "company", "takes what is done for its own", ("lookup.lua", "  if count > 0 then return count == 1", "  if count == 1 then return count == 1")),
    ("nutanix-element", "lost-deletion", "believes the second deletion's task", ("init.lua", "    if reply.status == 404 then return ServiceResponse", "    if false then return ServiceResponse")),
]
