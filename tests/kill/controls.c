/* What the kill harness sets up: its four providers, and what each control does wrong with one of them. */
#include <string.h>

#include "harness.h"

/* lookup's delay is longer than the outside's VISIBLE_MAX_MS, and than a busy machine takes from the mark of a request to its arrival; job's than a
 * child goes on that has lost its runtime. */
const kind all_well[KINDS] = {
  { "idempotent", "http.lua", "idempotent", true, "nil", "nil" },
  { "lookup", "http.lua", "lookup", false, "1.0", "nil" },
  { "neither", "http.lua", "neither", false, "nil", "nil" },
  { "job", "job.lua", "job", false, "1.0", "nil" },
};

static const control controls[] = {
  { .name = "liar", .what = "says idempotent = true of a service that is not", .wrong = { "idempotent", "http.lua", "neither", true, "nil", "nil" },
    .caught_by = CHECK_ONCE, .at = "idempotent.execute.sent" },
  { .name = "hasty", .what = "looks up at once", .wrong = { "lookup", "http.lua", "lookup", false, "0", "nil" }, .caught_by = CHECK_ONCE, .at = "lookup.start" },
  { .name = "pessimist", .what = "takes what is not there yet for failed", .wrong = { "lookup", "http.lua", "lookup", false, "1.0", "'pessimist'" },
    .caught_by = CHECK_TRUTH, .at = "lookup.refresh.begin" },
  { .name = "child", .what = "runs a child again where it should be a job", .wrong = { "job", "job.lua", "job", true, "nil", "'child'" },
    .caught_by = CHECK_ONCE, .at = "job.tool.begin" },
  { .name = "relabel", .what = "says CANCELLED and leaves the job alone", .wrong = { "lookup", "http.lua", "lookup", false, "1.0", "'relabels'" },
    .caught_by = CHECK_TRUTH, .at = "lookup.cancel.begin", .cancels = true },
  { .name = "forgetful", .what = "says deleted and leaves the job there", .wrong = { "lookup", "http.lua", "lookup", false, "1.0", "'forgets'" },
    .caught_by = CHECK_DELETED, .at = "lookup.delete.end", .deletes = true },
  { .name = "believer", .what = "takes a job that was lost for done", .wrong = { "job", "job.lua", "job", false, "1.0", "'believes'" },
    .caught_by = CHECK_TRUTH, .at = "job.tool.begin", .kills_runners = true },
  { .name = "boaster", .what = "says updated and changes nothing outside", .wrong = { "lookup", "http.lua", "lookup", false, "1.0", "'boasts'" },
    .caught_by = CHECK_UPDATED, .at = "lookup.update.end", .updates = true },
  { .name = "litterer", .what = "says cleaned up and leaves it there", .wrong = { "lookup", "http.lua", "lookup", false, "1.0", "'litters'" },
    .caught_by = CHECK_CLEANED, .at = "lookup.cleanUp.end" },
  { .name = "amnesia", .what = "puts back an older database", .caught_by = CHECK_ACKNOWLEDGED, .at = "idempotent.execute.end" },
};

const control *control_find(const char *name) {
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
    if (strcmp(controls[i].name, name) == 0) return &controls[i];
  return NULL;
}
