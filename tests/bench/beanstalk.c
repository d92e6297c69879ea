/*
 * beanstalk.c - put to a beanstalkd. It has no sessions, so a job's body is the session's key and
 * the text.
 */
#include <string.h>

#include "connections.h"
#include "modes.h"

#define INSERTED "INSERTED "

static void
make_put(const struct load *load, struct form *form)
{
	form_addf(form, "put 0 0 60 %zu\r\n", key_bytes(load) + 1 + text_bytes(load));
	form_add_key(form, load, EVENT_SESSION);
	form_add(form, " ");
	form_add_text(form, load);
	form_add(form, "\r\n");
}

/* Every answer to a put is one line. */
static size_t
end(struct connection *c)
{
	const char *lf = memchr(c->answer.data, '\n', c->answer.len);

	return lf != NULL ? (size_t)(lf - c->answer.data) + 1 : 0;
}

static void
check_put(const struct load *load, const struct step *step, struct connection *c)
{
	const size_t word = strlen(INSERTED);

	(void)load;
	(void)step;
	if (c->end < word + 3 || memcmp(c->answer.data, INSERTED, word) != 0 ||
	    strspn(c->answer.data + word, "0123456789") != c->end - word - 2)
		connection_wrong(c, "not inserted");
}

static const struct protocol beanstalk = { .end = end };

/* clang-format off */
const struct mode put_mode = { "put", connections_run, &beanstalk, connection_proceed, { { .make = make_put, .check = check_put } } };
/* clang-format on */
