/*
 * Parsing JSON. cJSON records where its last parse failed in a variable of the whole process, so a
 * mutex lets one thread parse at a time.
 */
#include "client/json.h"

#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t parsing = PTHREAD_MUTEX_INITIALIZER;

static bool
is_white(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n'))
		s++;
	return s == end;
}

cJSON *
sevq_json_parse(const char *text, size_t len)
{
	const char *end = NULL;
	cJSON *root;

	pthread_mutex_lock(&parsing);
	root = cJSON_ParseWithLengthOpts(text, len, &end, false);
	pthread_mutex_unlock(&parsing);
	if (root != NULL && !is_white(end, text + len)) {
		cJSON_Delete(root);
		root = NULL;
	}
	return root;
}
