/* Words for days that schedules and blackouts share. */
#ifndef ORR_CORE_CRON_TEXT_H
#define ORR_CORE_CRON_TEXT_H

#include <stdint.h>

#include "base/buf.h"

/* Appends "Monday to Friday" or "Saturday and Sunday"; bit 0 is Sunday. */
void orr__weekdays_add(orr__buf *out, uint8_t weekdays);
const char *orr__month_name(int month); /* from 1; borrowed */

#endif
