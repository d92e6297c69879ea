/*
 * json.h - parsing JSON with cJSON, strictly.
 *
 * Here: a parser that refuses anything behind the JSON value, and that threads may call.
 * Not here: what the answers mean (answer.h).
 */
#ifndef SEVQ_CLIENT_JSON_H
#define SEVQ_CLIENT_JSON_H

#include <stddef.h>

#include <cjson/cJSON.h>

/*
 * Parses the whole text. Returns NULL if it is not exactly one JSON value, or if memory runs out.
 * The caller frees the value with cJSON_Delete. Threads may call it at the same time.
 */
cJSON *sevq_json_parse(const char *text, size_t len);

#endif
