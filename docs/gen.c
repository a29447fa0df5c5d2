/* Prints one of the tables of the documentation, made from the definitions that the code is made from:
 * gen hooks | hook-pages | declaration | fields | errors | requests | checks | findings. docs/gen.sh compiles it and puts each table where it belongs.
 *
 * Knows the .def files and Markdown, nothing else; links with nothing of ours. */
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* Text for a cell: a bar would end it. */
static void cell(const char *text) {
  for (; *text; text++) {
    if (*text == '|') putchar('\\');
    putchar(*text);
  }
}

/* ---- hooks -------------------------------------------------------------------------------------------------- */

static const struct { const char *word, *shown; } args[] = {
  { "BACKUP", "backup" }, { "RESULT", "backupResult" }, { "CONFIG", "config" }, { "OPTS", "opts" },
  { "EXECUTION_CONFIG", "executionConfig" }, { "CLOUD", "cloud" }, { "SERVER", "computeServer" },
  { "RESULTS", "backupResults" }, { "PREVIOUS", "previous" }, { "CONNECTION", "connection" }, { "NAME", "name" }, { "ARGS", "args" }
};

static const struct { const char *flag, *note; } notes[] = {
  { "NEEDED", "required" }, { "ANSWER", "must answer" }, { "EXECUTION", "answers a BackupExecutionResponse" },
  { "FINDINGS", "gets opts.errors" }, { "MODEL", "may return the Backup as data" }, { "VALUE", "success needs data" },
  { "UNREPEATABLE", "not simply repeated after a crash" }
};

/* The words of `words` that `table`, an array of pairs, knows. */
#define EACH_WORD(words, text)                                                             \
  char text[256];                                                                          \
  snprintf(text, sizeof text, "%s", words);                                                \
  for (char *save = NULL, *word = strtok_r(text, " ,|()", &save); word; word = strtok_r(NULL, " ,|()", &save))

static void print_hook(const char *name, const char *arg_words, const char *flag_words, int timeout, const char *opts, const char *doc) {
  const char *gap = "";
  printf("| `%s(", name);
  EACH_WORD(arg_words, arg_text) {
    for (size_t i = 0; i < COUNT(args); i++) {
      if (strcmp(args[i].word, word) != 0) continue;
      printf("%s%s", gap, args[i].shown);
      gap = ", ";
    }
  }
  printf(")` | ");
  cell(doc);
  gap = strchr(".?!", doc[strlen(doc) - 1]) ? " *" : ". *";
  EACH_WORD(flag_words, flag_text) {
    for (size_t i = 0; i < COUNT(notes); i++) {
      if (strcmp(notes[i].flag, word) != 0) continue;
      printf("%s%s", gap, notes[i].note);
      gap = ", ";
    }
  }
  printf("%s | %d | %s |\n", gap[0] == ',' ? "*" : "", timeout, *opts ? opts : "-");
}

static void print_hooks(void) {
  static const struct { const char *name, *args, *flags; int timeout; const char *opts, *doc; } hooks[] = {
#define ARGS(...) #__VA_ARGS__
#define HOOK(name, args, flags, timeout, opts, doc) { #name, args, #flags, timeout, opts, doc },
#include "core/ops.def"
#undef HOOK
#undef ARGS
  };
  enum { CONTRACT = 11 };
  for (size_t i = 0; i < COUNT(hooks); i++) {
    if (i == CONTRACT) printf("\nOptional additions:\n\n");
    if (i == 0 || i == CONTRACT) printf("| hook | when and what | seconds | keys of `opts` |\n| --- | --- | --- | --- |\n");
    print_hook(hooks[i].name, hooks[i].args, hooks[i].flags, hooks[i].timeout, hooks[i].opts, hooks[i].doc);
  }
}

/* ---- a section for each hook -------------------------------------------------------------------------------- */

static const struct { const char *word, *type, *what; } arg_docs[] = {
  { "BACKUP", "[Backup](providers.md#backup)", "what is backed up; what is written to it is kept where the hook succeeds" },
  { "RESULT", "[BackupResult](providers.md#backupresult)", "the execution; what is written to it is kept whatever the hook answers" },
  { "CONFIG", "table", "the configuration as it was given from outside (`--set`), before defaults; a copy of this hook's own" },
  { "OPTS", "table", "the keys below, and the caller's own (`--opt`)" },
  { "EXECUTION_CONFIG", "table", "what the caller gave for this execution (`backup run --set`); `{}` if nothing, the same after a crash" },
  { "CLOUD", "[Cloud](providers.md#cloud) or nil", "the server's cloud, else the Backup's own" },
  { "SERVER", "[ComputeServer](providers.md#computeserver) or nil", "the server it is for" },
  { "RESULTS", "array of [BackupResult](providers.md#backupresult)", "those of one connection that are due, 500 at most" },
  { "PREVIOUS", "[Backup](providers.md#backup), read-only", "the Backup as it was" },
  { "CONNECTION", "[BackupProvider](providers.md#backupprovider)", "the external system that is meant" },
  { "NAME", "string", "which one: the name that was declared or registered" },
  { "ARGS", "table", "what was registered with the name" }
};

static const struct { const char *key, *what; } opt_docs[] = {
  { "trigger", "what began it: `manual`, `schedule`, `retry`, `update`, `retention` or `history` (which makes room)" },
  { "attempt", "from 1: which try of this hook it is" },
  { "requestedBy", "who asked, where that is known" },
  { "deadline", "milliseconds since 1970: then the hook is ended" },
  { "force", "the record goes even if the hook answers false" },
  { "errors", "the findings up to now, by field: required, type and choices are checked first" },
  { "destination", "the file or folder to write to, absolute" },
  { "sentDate", "milliseconds since 1970: when the first mutating act was about to leave" }
};

static const struct { const char *flag, *sentence; } flag_docs[] = {
  { "NEEDED", "Every provider has it." },
  { "EXECUTION", "Besides the usual answers it may return a `BackupExecutionResponse`; writing to the result is enough." },
  { "ANSWER", "It must answer: returning nothing is an error, so that a forgotten `return` is no success." },
  { "FINDINGS", "An `errors` table in the answer, even an empty one, replaces the findings of `opts.errors`; any error halts." },
  { "MODEL", "The Backup itself may be returned as `data`; without that what was written to it is kept all the same." },
  { "VALUE", "Success needs a table as `data`." },
  { "QUIET", "The journal has a row of it only where it changed the status, failed, or did something mutating." },
  { "UNREPEATABLE", "After a crash past its first mutating act it is not simply run again: see [repeatable starts](repeatable-starts.md)." }
};

static void print_hook_page(const char *name, const char *arg_words, const char *flag_words, int timeout, const char *opts, const char *doc, int is_first) {
  const char *gap = "";
  printf("%s## %s\n\n`provider.%s(", is_first ? "" : "\n", name, name);
  EACH_WORD(arg_words, signature_text) {
    for (size_t i = 0; i < COUNT(args); i++)
      if (strcmp(args[i].word, word) == 0) printf("%s%s", gap, args[i].shown), gap = ", ";
  }
  printf(")`\n\n%c%s%s It has %d seconds, unless `timeouts` says otherwise.", doc[0] - (doc[0] >= 'a' && doc[0] <= 'z' ? 32 : 0), doc + 1,
         strchr(".?!", doc[strlen(doc) - 1]) ? "" : ".", timeout);
  EACH_WORD(flag_words, flag_text) {
    for (size_t i = 0; i < COUNT(flag_docs); i++)
      if (strcmp(flag_docs[i].flag, word) == 0) printf(" %s", flag_docs[i].sentence);
  }
  printf("\n\n");
  EACH_WORD(arg_words, arg_text) {
    for (size_t i = 0; i < COUNT(args); i++)
      for (size_t k = 0; strcmp(args[i].word, word) == 0 && k < COUNT(arg_docs); k++)
        if (strcmp(arg_docs[k].word, word) == 0) printf("- `%s`, %s: %s\n", args[i].shown, arg_docs[k].type, arg_docs[k].what);
  }
  EACH_WORD(opts, opts_text) {
    for (size_t i = 0; i < COUNT(opt_docs); i++)
      if (strcmp(opt_docs[i].key, word) == 0) printf("- `opts.%s`: %s\n", word, opt_docs[i].what);
  }
}

static void print_hook_pages(void) {
  int count = 0;
#define ARGS(...) #__VA_ARGS__
#define HOOK(name, hook_args, flags, timeout, opts, doc) print_hook_page(#name, hook_args, #flags, timeout, opts, doc, count++ == 0);
#include "core/ops.def"
#undef HOOK
#undef ARGS
}

/* ---- fields ------------------------------------------------------------------------------------------------- */

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

static const char *type_shown(const char *type) {
  static const char *const types[][2] = { { "INT", "integer" }, { "DATE", "date (ms)" }, { "BOOL", "boolean" }, { "NUM", "number" },
                                          { "STR", "string" }, { "STATUS", "status" }, { "MAP", "map" } };
  for (size_t i = 0; i < COUNT(types); i++)
    if (strcmp(types[i][0], type) == 0) return types[i][1];
  return type;
}

static const char *class_of(const char *model) {
  for (size_t i = 0; i < COUNT(models); i++)
    if (strcmp(models[i].model, model) == 0) return models[i].class_name;
  return model;
}

static void print_fields_of(const char *model) {
  printf("| field | type | |\n| --- | --- | --- |\n");
  for (size_t i = 0; i < COUNT(fields); i++) {
    if (strcmp(fields[i].model, model) != 0) continue;
    if (fields[i].nav) printf("| `%s` | %s, read-only | ", fields[i].nav, class_of(fields[i].target));
    else
      printf("| `%s` | %s%s%s | ", fields[i].name, type_shown(fields[i].type), strstr(fields[i].flags, "READONLY") ? ", read-only" : "",
             strstr(fields[i].flags, "SECRET") ? ", secret" : "");
    cell(fields[i].doc);
    printf(" |\n");
  }
}

static void print_fields(void) {
  static const char *const order[] = { "result", "backup", "connection", "server", "cloud" };
  for (size_t i = 0; i < COUNT(order); i++) {
    for (size_t k = 0; k < COUNT(models); k++)
      if (strcmp(models[k].model, order[i]) == 0) printf("%s### %s\n\n%s.\n\n", i ? "\n" : "", models[k].class_name, models[k].doc);
    print_fields_of(order[i]);
  }
}

static void print_declaration(void) {
  printf("| key | |\n| --- | --- |\n");
#define DECLARED(key, type, doc) printf("| `%s` | ", #key), cell(doc), printf(" |\n");
#include "../bindings/declaration.def"
}

/* ---- errors and requests ------------------------------------------------------------------------------------ */

static void print_errors(void) {
  printf("| word | number | in C | exit code | retryable | meaning |\n| --- | --- | --- | --- | --- | --- |\n");
#define ORR_ERROR(NAME, value, word, exit_code, retryable, doc)                                            \
  printf("| `%s` | %d | `ORR_E_%s` | %d | %s | %s |\n", word, value, #NAME, exit_code, retryable ? "yes" : "no", doc);
#include "base/errors.def"
#undef ORR_ERROR
}

static void print_request(const char *name, const char *kind, const char *arguments, const char *reply, const char *doc) {
  printf("| `%s` | %s | ", name, kind);
  if (*arguments) printf("`%s`", arguments);
  printf(" | ");
  if (*reply) cell(reply);
  printf(" | ");
  cell(doc);
  printf(" |\n");
}

static void print_requests(void) {
  printf("| request | kind | arguments | reply | what it does |\n| --- | --- | --- | --- | --- |\n");
#define REQUEST(name, handler, kind, arguments, reply, doc) print_request(name, #kind, arguments, reply, doc);
#include "core/requests.def"
#undef REQUEST
}

static void print_checks(void) {
  printf("| check | what it finds |\n| --- | --- |\n");
#define CHECK(name, doc) printf("| `%s` | ", #name), cell(doc), printf(" |\n");
#include "host/doctor.def"
}

static void print_finding(const char *name, const char *severity, const char *doc) {
  printf("| `");
  for (; *name; name++) putchar(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
  printf("` | %s | ", strcmp(severity, "ERROR") == 0 ? "error" : "warning");
  cell(doc);
  printf(" |\n");
}

static void print_findings(void) {
  printf("| rule | severity | what it is |\n| --- | --- | --- |\n");
#define RULE(NAME, severity, doc) print_finding(#NAME, #severity, doc);
#include "../bindings/findings.def"
#undef RULE
}

int main(int argc, char **argv) {
  const char *what = argc == 2 ? argv[1] : "";
  if (strcmp(what, "hooks") == 0) print_hooks();
  else if (strcmp(what, "hook-pages") == 0) print_hook_pages();
  else if (strcmp(what, "declaration") == 0) print_declaration();
  else if (strcmp(what, "fields") == 0) print_fields();
  else if (strcmp(what, "errors") == 0) print_errors();
  else if (strcmp(what, "requests") == 0) print_requests();
  else if (strcmp(what, "checks") == 0) print_checks();
  else if (strcmp(what, "findings") == 0) print_findings();
  else return 2;
  return 0;
}
