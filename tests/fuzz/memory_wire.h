/*
 * memory_wire.h - server/http/wire.h without a socket: what the client sends and reads is in
 * memory, so that a fuzzer gets through many connections.
 *
 * Here: one connection at a time. Not here: what it answers.
 */
#ifndef MEMORY_WIRE_H
#define MEMORY_WIRE_H

#include "schema/str.h"
#include "server/http/wire.h"

/* Begins anew. The socket takes room bytes of an answer in each turn. */
void memory_wire_init(size_t room);
/* The client sends; the server is told as often as there is something that it wants to read. */
void memory_wire_send(const char *data, size_t len);
void memory_wire_end(void); /* the client ends its side, and reads until the server has ended */
bool memory_wire_is_closed(void);
struct str memory_wire_answers(void); /* all that the server has sent; a NUL stands behind it */

#endif
