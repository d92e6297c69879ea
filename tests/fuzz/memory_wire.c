/*
 * memory_wire.c - the functions of wire.h over two buffers. Linked before the server's library,
 * whose own wire.c is then left out.
 */
#include "memory_wire.h"

#include <assert.h>

#include "schema/mem.h"

#define TURNS_MAX 100000

static struct {
	event_callback_fn readable, writable;
	void *arg;
	bool open, listening, ended;
	size_t room, taken; /* of the answers: taken each turn, and so far */
	const char *input;
	size_t input_len;
	struct buf answers;
} wire_in_use;

/* --- the server's side --- */

void
wire_open(struct wire *wire, struct event_base *base, int fd, event_callback_fn readable,
	  event_callback_fn writable, void *arg)
{
	(void)base;
	wire->fd = fd;
	wire_in_use.readable = readable;
	wire_in_use.writable = writable;
	wire_in_use.arg = arg;
	wire_in_use.open = true;
}

void
wire_close(struct wire *wire)
{
	assert(wire_in_use.open);
	wire->fd = -1;
	wire_in_use.answers.len = wire_in_use.taken; /* the rest is lost */
	wire_in_use.open = false;
}

enum tls_step
wire_handshake(struct wire *wire, const struct tls *tls, struct error *err)
{
	(void)wire, (void)tls, (void)err;
	assert(false); /* it is plain */
	return TLS_FAILED;
}

bool
wire_peer(const struct wire *wire, struct endpoint *ret)
{
	(void)wire;
	(void)ret;
	return false;
}

void
wire_listen(struct wire *wire)
{
	(void)wire;
	wire_in_use.listening = true;
}

void
wire_ignore(struct wire *wire)
{
	(void)wire;
	wire_in_use.listening = false;
}

ssize_t
wire_read(struct wire *wire, char *data, size_t len)
{
	size_t n = len < wire_in_use.input_len ? len : wire_in_use.input_len;

	(void)wire;
	if (n == 0)
		return wire_in_use.ended ? WIRE_ENDED : 0;
	memcpy(data, wire_in_use.input, n);
	wire_in_use.input += n;
	wire_in_use.input_len -= n;
	return (ssize_t)n;
}

size_t
wire_unsent(const struct wire *wire)
{
	(void)wire;
	return wire_in_use.answers.len - wire_in_use.taken;
}

static void
take(size_t most)
{
	size_t unsent = wire_unsent(NULL);

	wire_in_use.taken += unsent < most ? unsent : most;
}

void
wire_send(struct wire *wire, const char *data, size_t len)
{
	bool is_empty = wire_unsent(wire) == 0;

	assert(wire_in_use.open);
	buf_add(&wire_in_use.answers, data, len);
	if (is_empty)
		take(wire_in_use.room);
}

int
wire_flush(struct wire *wire)
{
	(void)wire;
	take(wire_in_use.room);
	return 0;
}

void
wire_end(struct wire *wire)
{
	(void)wire;
}

void
wire_limit_kernel(struct wire *wire, size_t bytes)
{
	(void)wire, (void)bytes;
}

/* --- the client's side --- */

/* One turn of a loop; false if the server waits for the client. */
static bool
turn(void)
{
	bool has_input = wire_in_use.input_len > 0 || wire_in_use.ended;

	if (!wire_in_use.open)
		return false;
	if (wire_unsent(NULL) > 0)
		wire_in_use.writable(0, EV_WRITE, wire_in_use.arg);
	else if (wire_in_use.listening && has_input)
		wire_in_use.readable(0, EV_READ, wire_in_use.arg);
	else
		return false;
	return true;
}

static void
run(void)
{
	for (int turns = 0; turn(); turns++)
		assert(turns < TURNS_MAX);
}

void
memory_wire_init(size_t room)
{
	assert(!wire_in_use.open);
	buf_clear(&wire_in_use.answers);
	memset(&wire_in_use, 0, sizeof(wire_in_use));
	wire_in_use.room = room;
}

void
memory_wire_send(const char *data, size_t len)
{
	assert(wire_in_use.input_len == 0 || !wire_in_use.open || !wire_in_use.listening);
	wire_in_use.input = data;
	wire_in_use.input_len = len;
	run();
}

void
memory_wire_end(void)
{
	wire_in_use.ended = true;
	run();
}

bool
memory_wire_is_closed(void)
{
	return !wire_in_use.open;
}

struct str
memory_wire_answers(void)
{
	buf_add(&wire_in_use.answers, "", 1);
	wire_in_use.answers.len--;
	return (struct str){ wire_in_use.answers.data, wire_in_use.answers.len };
}
