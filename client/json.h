/*
 * json.h - cJSON as the client uses it.
 *
 * Here: strict use of its parser (the whole text, nothing behind it).
 * Not here: what the answers mean (answer.h).
 */
#ifndef SEVQ_CLIENT_JSON_H
#define SEVQ_CLIENT_JSON_H

#include <stddef.h>

#include <cjson/cJSON.h>

/*
 * Parses the whole text; NULL if it is not exactly one JSON value. Free with cJSON_Delete. Safe
 * with threads.
 */
cJSON *sevq_json_parse(const char *text, size_t len);

#endif
