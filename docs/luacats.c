/* Prints the types that an editor needs to complete and check a provider (LuaCATS annotations), from the definitions that the code is made
 * from: the objects, the hooks, the declaration, the errors. The libraries' are made by luacats.awk.
 *
 * Knows the .def files and the annotations, nothing else; links with nothing of ours. */
#include <stdio.h>
#include <string.h>

#include "model/status.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* ---- objects ------------------------------------------------------------------------------------------------ */

static const struct { const char *model, *name, *nav, *target, *type, *flags, *doc; } fields[] = {
#define FIELD(model, type, name, flags, since, doc) { #model, #name, NULL, NULL, #type, #flags, doc },
#define REFERENCE(model, name, target, nav, flags, since, doc) { #model, #name, #nav, #target, "REF", #flags, doc },
#include "model/fields/cloud.def"
#include "model/fields/server.def"
#include "model/fields/connection.def"
#include "model/fields/backup.def"
#include "model/fields/result.def"
#undef FIELD
#undef REFERENCE
};

static const struct { const char *model, *class_name, *doc; } models[] = {
#define MODEL(model, Class, table, doc) { #model, #Class, doc },
#include "model/fields/models.def"
#undef MODEL
};

/* The methods of every object; Backups and servers have one more. tests/luacats compares them with those there are. */
static const struct { const char *name, *type, *doc; } methods[] = {
  { "getConfigProperty", "fun(self, path: string, default?: any): any", "a value of config by its path, such as \"a.b\"; of a declared password, too" },
  { "setConfigProperty", "fun(self, path: string, value: any)", "sets it; nil takes it away" },
  { "getConfigMap", "fun(self): table", "a copy of config" },
  { "setConfigMap", "fun(self, map: table)", "replaces config" },
  { "copy", "fun(self): self", "a copy that is nobody's: what is written to it stays with it" },
  { "save", "fun(self)", "writes what has changed durably; waits. Of a result or a Backup that the hook was given" },
  { "results", "fun(self, options?: { status: BackupStatus?, limit: integer? }): BackupResult[]", "of a Backup: its newest results, the newest first; waits" },
  { "run", "fun(self, options: { argv: string[], env: table<string, string>?, stdin: string?, timeout: number?, safe: boolean? }): table",
    "of a ComputeServer: runs a command on it, where the host of the runtime can; waits" }
};

static const char *class_of(const char *model) {
  for (size_t i = 0; i < COUNT(models); i++)
    if (strcmp(models[i].model, model) == 0) return models[i].class_name;
  return model;
}

static const char *type_shown(size_t i) {
  static const char *const types[][2] = { { "INT", "integer" }, { "DATE", "number" }, { "BOOL", "boolean" }, { "NUM", "number" },
                                          { "STR", "string" }, { "STATUS", "BackupStatus" }, { "MAP", "table<string, any>" } };
  if (fields[i].nav) return class_of(fields[i].target);
  for (size_t k = 0; k < COUNT(types); k++)
    if (strcmp(types[k][0], fields[i].type) == 0) return types[k][1];
  return "any";
}

static void print_field(const char *name, size_t i) {
  bool is_sure = strcmp(fields[i].type, "MAP") == 0 || strcmp(fields[i].name, "uuid") == 0 || strcmp(fields[i].name, "status") == 0 ||
                 (strcmp(fields[i].name, "backupId") == 0 && strcmp(fields[i].model, "result") == 0);
  printf("---@field %s%s %s %s%s%s\n", name, is_sure ? "" : "?", type_shown(i), strstr(fields[i].flags, "READONLY") ? "(read-only) " : "",
         strcmp(fields[i].type, "DATE") == 0 ? "(ms since 1970) " : "", fields[i].doc);
}

static void print_class(const char *model) {
  for (size_t k = 0; k < COUNT(models); k++)
    if (strcmp(models[k].model, model) == 0) printf("\n---%s\n---@class (exact) %s\n", models[k].doc, models[k].class_name);
  for (size_t i = 0; i < COUNT(fields); i++) {
    if (strcmp(fields[i].model, model) != 0) continue;
    print_field(fields[i].nav ? fields[i].nav : fields[i].name, i);
    if (fields[i].nav && strcmp(fields[i].nav, "backupProvider") == 0) print_field("connection", i);
  }
  if (strcmp(model, "result") == 0) printf("---@field cloud? Cloud (read-only) the cloud that executeBackup gets\n");
  for (size_t i = 0; i < COUNT(methods); i++)
    if ((strcmp(methods[i].name, "results") != 0 || strcmp(model, "backup") == 0) && (strcmp(methods[i].name, "run") != 0 || strcmp(model, "server") == 0))
      printf("---@field %s %s %s\n", methods[i].name, methods[i].type, methods[i].doc);
}

/* ---- hooks -------------------------------------------------------------------------------------------------- */

static const struct { const char *word, *shown, *type; } args[] = {
  { "BACKUP", "backup", "Backup" }, { "RESULT", "backupResult", "BackupResult" }, { "CONFIG", "config", "table<string, any>" }, { "OPTS", "opts", "HookOpts" },
  { "EXECUTION_CONFIG", "executionConfig", "table<string, any>" }, { "CLOUD", "cloud", "Cloud?" }, { "SERVER", "computeServer", "ComputeServer?" },
  { "RESULTS", "backupResults", "BackupResult[]" }, { "PREVIOUS", "previous", "Backup" }, { "CONNECTION", "connection", "BackupProvider" },
  { "NAME", "name", "string" }, { "ARGS", "args", "table<string, any>" }
};

static void print_hook(const char *name, const char *words, const char *doc) {
  char text[256];
  const char *gap = "";
  snprintf(text, sizeof text, "%s", words);
  printf("---@field %s? fun(", name);
  for (char *save = NULL, *word = strtok_r(text, " ,", &save); word; word = strtok_r(NULL, " ,", &save)) {
    for (size_t i = 0; i < COUNT(args); i++) {
      if (strcmp(args[i].word, word) != 0) continue;
      printf("%s%s: %s", gap, args[i].shown, args[i].type);
      gap = ", ";
    }
  }
  printf("): HookAnswer, string? %s\n", doc);
}

static void print_hooks(void) {
  printf("\n---What a hook answers: a ServiceResponse, a table of that shape, true, or false and a message.\n"
         "---@alias HookAnswer ServiceResponse|BackupExecutionResponse|table|boolean|nil\n\n"
         "---What Provider{ } makes; its functions are the hooks.\n---@class Provider\n"
         "---@field selfTest? fun(): boolean?, string? run by `provider check` and before a version is swapped in\n");
#define ARGS(...) #__VA_ARGS__
#define HOOK(name, hook_args, flags, timeout, opts, doc) print_hook(#name, hook_args, doc);
#include "core/ops.def"
#undef HOOK
#undef ARGS
  printf("\n---Keys of the runtime's, which of them depends on the hook, and the caller's own (--opt).\n---@class HookOpts\n"
         "---@field trigger? \"manual\"|\"schedule\"|\"retry\"|\"update\"|\"retention\"|\"history\"\n---@field attempt? integer from 1\n"
         "---@field requestedBy? string\n---@field deadline? number (ms since 1970) then the hook is ended\n---@field force? boolean\n"
         "---@field errors? table<string, string> the findings up to now\n---@field destination? string of extractBackup\n"
         "---@field sentDate? number (ms since 1970) of the recover hooks\n---@field [string] any\n");
}

static void print_key(const char *key, const char *type, const char *doc) {
  bool is_needed = type[0] == '!';
  printf("---@field %s%s %s %s\n", key, is_needed ? "" : "?", type + is_needed, doc);
}

static void print_declaration(void) {
  printf("\n---@class (exact) OptionType\n");
#define OPTION_KEY(key, type, doc) print_key(#key, type, doc);
#include "../bindings/declaration.def"
  printf("\n---@class (exact) Needs\n");
#define NEED(key, doc) print_key(#key, "string[]", doc);
#include "../bindings/declaration.def"
  printf("\n---@class ProviderDeclaration: Provider\n");
#define DECLARED(key, type, doc) print_key(#key, type, doc);
#include "../bindings/declaration.def"
  printf("\n---Declares a provider; the file returns what it makes.\n---@param declaration ProviderDeclaration\n---@return Provider provider\n"
         "function Provider(declaration) end\n");
}

static void print_answers(void) {
  printf("\n---@class ServiceResponse\n---@field success boolean\n---@field msg? string\n---@field errors? table<string, string>\n---@field data? any\n"
         "---@field inProgress? boolean\n---@field retry? boolean\n---@field after? number\n---@field gone? boolean\n"
         "---@overload fun(fields: table): ServiceResponse\nServiceResponse = {}\n"
         "\n---@class BackupExecutionResponse\n---@field backupResult BackupResult\n---@field updates? boolean\n"
         "---@overload fun(fields: { backupResult: BackupResult, updates: boolean? }): BackupExecutionResponse\nBackupExecutionResponse = {}\n"
         "---@param backupResult BackupResult\n---@return BackupExecutionResponse\nfunction BackupExecutionResponse.new(backupResult) end\n");
  printf("\n---The words of a result's status.\n---@alias BackupStatus string\n");
#define WORD(word) printf("---|\"%s\"\n", #word);
  ORR_STATUS_LIST(WORD)
#undef WORD
  printf("\n---@class (exact) BackupStatusUtility\nBackupStatusUtility = {\n");
#define WORD(word) printf("  %s = \"%s\",\n", #word, #word);
  ORR_STATUS_LIST(WORD)
#undef WORD
  printf("  CANCELED = \"CANCELLED\",\n}\n");
  printf("\n---What is raised by functions that wait.\n---@class HookError\n---@field code string|ErrorCode\n---@field message string\n---@field retryable boolean\n"
         "\n---@alias ErrorCode string\n");
#define ORR_ERROR(NAME, value, word, exit_code, retryable, doc) printf("---|\"%s\" # %s\n", word, doc);
#include "base/errors.def"
#undef ORR_ERROR
}

int main(void) {
  static const char *const order[] = { "result", "backup", "connection", "server", "cloud" };
  printf("---@meta\n-- Made by docs/luacats.c: what an editor has to know of a provider's objects and hooks.\n");
  for (size_t i = 0; i < COUNT(order); i++) print_class(order[i]);
  print_hooks();
  print_declaration();
  print_answers();
  return 0;
}
