/* Commands that show something in a form of its own: events, db check. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/cli.h"

/* ---- events ----------------------------------------------------------------------------------------------- */

typedef struct listener {
  orr__cli *cli;
  uint64_t id;
  double last;    /* the newest event that was printed */
  cJSON *printed; /* the events of a plain `events --json`: one array; NULL when following */
} listener;

static void print_event(listener *l, const cJSON *event) {
  const cJSON *number = cJSON_GetObjectItemCaseSensitive(event, "id");
  if (!cJSON_IsObject(event)) return;
  if (cJSON_IsNumber(number)) {
    if (number->valuedouble <= l->last) return;
    l->last = number->valuedouble;
  }
  if (l->printed) {
    cJSON_AddItemToArray(l->printed, cJSON_Duplicate(event, true));
    return;
  }
  if (l->cli->globals.is_json) {
    orr__print_json(event);
    return;
  }
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  const cJSON *date = cJSON_GetObjectItemCaseSensitive(event, "date");
  const char *level = orr__json_word(event, "level");
  char *kind = orr__strf("%-18s", orr__json_word(event, "kind") ? orr__json_word(event, "kind") : "");
  if (cJSON_IsNumber(date)) orr__text_date(&out, (int64_t)date->valuedouble);
  orr__buf_adds(&out, "  ");
  orr__hued(&out, &l->cli->paint, orr__streq(level, "error") ? ORR_HUE_BAD : orr__streq(level, "warning") ? ORR_HUE_WARN : ORR_HUE_DIM,
            kind ? kind : "");
  orr__said(&out, "  {subject}  {message}\n", event, 0);
  orr__print(&out);
  orr__buf_clear(&out);
  free(kind);
}

static int ask_events(listener *l, orr_error *reterr) {
  cJSON *args = cJSON_Duplicate(l->cli->args, true);
  if (!args) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int rc = 0;
  if (l->last > 0) rc = orr__set_path(args, "after", cJSON_CreateNumber(l->last), reterr);
  char *text = rc == 0 ? cJSON_PrintUnformatted(args) : NULL;
  if (text) rc = orr__client_ask(l->cli->client, "events", text, &l->id, reterr);
  cJSON_free(text);
  cJSON_Delete(args);
  return rc;
}

/* Who reads on from an event learns that the next ones are gone. */
static void remark_gap(const listener *l, const cJSON *reply) {
  const cJSON *after = cJSON_GetObjectItemCaseSensitive(l->cli->args, "after"), *first = cJSON_GetObjectItemCaseSensitive(reply, "first");
  if (cJSON_IsNumber(after) && cJSON_IsNumber(first) && first->valuedouble > after->valuedouble + 1)
    orr__remark("orrery: events up to %.0f have been removed (settings history_events, history_days)", first->valuedouble - 1);
}

/* Prints until the reply; asks again, from the last event on, when the runtime changes. */
static int listen_events(listener *l, bool is_following, orr_error *reterr) {
  int rc = ask_events(l, reterr);
  while (rc == 0 && !ferror(stdout)) {
    orr__message message = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT};
    const cJSON *event = NULL;
    bool is_over = false;
    int got = orr__client_wait(l->cli->client, l->id == 0 ? 1000 : -1, &message, reterr);
    if (got < 0) return got;
    if (got == ORR_CLIENT_MOVED || got == ORR_CLIENT_TIMEOUT) {
      rc = ask_events(l, reterr);
    } else if (message.id == l->id && message.type == ORR_MESSAGE_UPDATE) {
      print_event(l, message.data);
    } else if (message.id == l->id) {
      is_over = !is_following;
      if (message.error.code == ORR_E_CLOSED) l->id = 0;
      else if (message.error.code) rc = orr__error_move(reterr, &message.error);
      remark_gap(l, message.data);
      cJSON_ArrayForEach(event, cJSON_GetObjectItemCaseSensitive(message.data, "events")) print_event(l, event);
      if (is_following) l->id = 0; /* the runtime ended the stream because it ends itself */
    }
    orr__message_clear(&message);
    if (is_over) break;
  }
  return rc;
}

int orr__cli_events(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  listener l = {.cli = cli};
  bool is_following = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cli->args, "follow"));
  if (cli->globals.is_json && !is_following) l.printed = cJSON_CreateArray();
  int rc = orr__cli_connect(cli, &error);
  if (rc == 0) rc = listen_events(&l, is_following, &error);
  if (rc == 0 && l.printed) orr__print_json(l.printed);
  cJSON_Delete(l.printed);
  if (rc == 0) return 0;
  bool is_stopped = rc == ORR_E_CANCELLED && is_following;
  if (!is_stopped) return orr__cli_fail(cli, &error);
  orr__error_clear(&error); /* the ordinary end of following */
  return 130;
}

/* ---- db check --------------------------------------------------------------------------------------------- */

static cJSON *lines_of(const char *text) {
  cJSON *list = cJSON_CreateArray();
  while (list && text && *text) {
    size_t len = strcspn(text, "\n");
    char *line = orr__strndup(text, len);
    if (line && *line) cJSON_AddItemToArray(list, cJSON_CreateString(line));
    free(line);
    text += len + (text[len] == '\n');
  }
  return list;
}

int orr__cli_db_check(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  char *report = NULL;
  int rc = orr__cli_place(cli, "command", &error);
  if (rc == 0) rc = orr_db_check(cli->data_dir, &report, &error);
  bool is_checked = rc == 0 || (rc == ORR_E_CORRUPT && report && *report);
  if (is_checked && cli->globals.is_json) {
    cJSON *json = cJSON_CreateObject();
    if (json && cJSON_AddBoolToObject(json, "ok", rc == 0) && cJSON_AddStringToObject(json, "dataDir", cli->data_dir) &&
        cJSON_AddItemToObject(json, "findings", lines_of(report))) orr__print_json(json);
    cJSON_Delete(json);
  } else if (is_checked) {
    if (report && *report) printf("%s%s", report, report[strlen(report) - 1] == '\n' ? "" : "\n");
    printf("%s: %s\n", cli->data_dir, rc == 0 ? "sound" : "damaged");
  }
  orr_text_free(report);
  if (!is_checked) return orr__cli_fail(cli, &error);
  orr__error_clear(&error);
  return rc == 0 ? 0 : 1;
}
