/*
 * mem.c - allocation that aborts, the arena, the buffer.
 *
 * An arena is a list of blocks, newest first. Small pieces are cut from the newest block; a large
 * piece gets a block of its own, linked behind the newest, so that the space left in the newest is
 * still used.
 *
 * Freed blocks of the usual size are kept in a short list of spares for the next arena: a request
 * needs two, and malloc would merge and split blocks of that size every time. With AddressSanitizer
 * there are no spares, because they would hide uses after free. The list is an array outside the
 * blocks, and an arena notes whether it has only one usual block, so that freeing need not read a
 * block's header, which with hundreds of concurrent requests has left the processor's cache.
 */
#include "schema/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK_BYTES 2048
#define ARENA_PIECE_BYTES (ARENA_BLOCK_BYTES / 4) /* larger ones get a block of their own */
#define BUF_BYTES_MIN 64
#ifdef __SANITIZE_ADDRESS__
#define SPARE_BLOCKS_MAX 0
#else
#define SPARE_BLOCKS_MAX 1024
#endif

#define RESERVE_BYTES (64 << 10) /* for a record in the log */

struct arena_block {
	struct arena_block *next;
	size_t size; /* of bytes */
	max_align_t bytes[];
};

/* What is done when memory runs out; reserve: freed for it. */
static struct {
	void (*report)(void);
	void *reserve;
} exhaustion;

void
mem_on_exhaustion(void (*report)(void))
{
	free(exhaustion.reserve);
	exhaustion.report = report;
	exhaustion.reserve = malloc(RESERVE_BYTES);
}

static void
run_out(void)
{
	void (*report)(void) = exhaustion.report;

	exhaustion.report = NULL; /* memory may run out in it too */
	free(exhaustion.reserve);
	if (report != NULL)
		report();
	fputs("sevq: out of memory\n", stderr);
	abort();
}

void *
mem_there(void *p)
{
	if (p == NULL)
		run_out();
	return p;
}

void *
mem_alloc(size_t size)
{
	return mem_there(calloc(1, size > 0 ? size : 1));
}

void *
mem_realloc(void *p, size_t size)
{
	return mem_there(realloc(p, size > 0 ? size : 1));
}

void *
mem_grow(void *p, size_t *cap, size_t need, size_t item_bytes)
{
	size_t wanted, bytes;
	bool overflow;

	if (need <= *cap)
		return p;
	wanted = *cap + *cap / 2;
	if (wanted < need)
		wanted = need;
	overflow = __builtin_mul_overflow(wanted, item_bytes, &bytes);
	assert(!overflow);
	p = mem_realloc(p, bytes);
	*cap = wanted;
	return p;
}

/* --- arena --- */

static struct arena_block *spares[SPARE_BLOCKS_MAX + 1];
static size_t spare_count;

static struct arena_block *
new_block(size_t bytes)
{
	struct arena_block *block;

	if (bytes == ARENA_BLOCK_BYTES && spare_count > 0)
		return spares[--spare_count];
	block = mem_there(malloc(sizeof(*block) + bytes));
	block->size = bytes;
	return block;
}

static void
free_usual(struct arena_block *block)
{
	if (spare_count == SPARE_BLOCKS_MAX)
		free(block);
	else
		spares[spare_count++] = block;
}

static void
free_blocks(struct arena_block *block)
{
	struct arena_block *next;

	for (; block != NULL; block = next) {
		next = block->next;
		if (block->size == ARENA_BLOCK_BYTES)
			free_usual(block);
		else
			free(block);
	}
}

static void __attribute__((destructor)) free_spares(void)
{
	while (spare_count > 0)
		free(spares[--spare_count]);
}

/* Gives a large piece a block of its own. */
static void *
large(struct arena *arena, size_t size)
{
	struct arena_block *block = new_block(size);

	arena->more = true;
	if (arena->blocks == NULL) {
		block->next = NULL;
		arena->blocks = block;
		arena->used = ARENA_BLOCK_BYTES; /* nothing can be cut from it */
	} else {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
	}
	return block->bytes;
}

static void *
cut(struct arena *arena, size_t size, size_t align)
{
	size_t at = (arena->used + align - 1) & ~(align - 1);

	if (size > ARENA_PIECE_BYTES)
		return large(arena, size);
	if (arena->blocks == NULL || at + size > ARENA_BLOCK_BYTES) {
		struct arena_block *block = new_block(ARENA_BLOCK_BYTES);

		arena->more = arena->blocks != NULL;
		block->next = arena->blocks;
		arena->blocks = block;
		at = 0;
	}
	arena->used = at + size;
	return (char *)arena->blocks->bytes + at;
}

void *
arena_room(struct arena *arena, size_t size)
{
	return cut(arena, size, _Alignof(max_align_t));
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	return memset(arena_room(arena, size), 0, size);
}

char *
arena_bytes(struct arena *arena, size_t size)
{
	return cut(arena, size, 1);
}

struct str
arena_dup(struct arena *arena, struct str s)
{
	char *copy;

	if (s.s == NULL)
		return s;
	copy = arena_bytes(arena, s.len + 1);
	memcpy(copy, s.s, s.len);
	copy[s.len] = '\0';
	return (struct str){ copy, s.len };
}

void
arena_clear(struct arena *arena)
{
	if (arena->more)
		free_blocks(arena->blocks);
	else if (arena->blocks != NULL)
		free_usual(arena->blocks);
	*arena = (struct arena){ 0 };
}

size_t
arena_size(const struct arena *arena)
{
	size_t size = 0;

	for (const struct arena_block *block = arena->blocks; block != NULL; block = block->next)
		size += sizeof(*block) + block->size;
	return size;
}

/* --- buffer --- */

void
buf_reserve(struct buf *buf, size_t more)
{
	size_t need;
	bool overflow = __builtin_add_overflow(buf->len, more, &need);

	assert(!overflow);
	if (need > buf->cap)
		buf->data =
		    mem_grow(buf->data, &buf->cap, need > BUF_BYTES_MIN ? need : BUF_BYTES_MIN, 1);
}

/* Most texts fit, so that they are formatted only once. */
#define FORMATTED_BYTES 128

void
buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list args, again;
	size_t room, len;
	int n;

	buf_reserve(buf, FORMATTED_BYTES);
	room = buf->cap - buf->len;
	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(buf->data + buf->len, room, fmt, args);
	assert(n >= 0);
	len = (size_t)n;
	if (len >= room) {
		buf_reserve(buf, len + 1);
		vsnprintf(buf->data + buf->len, len + 1, fmt, again);
	}
	va_end(again);
	va_end(args);
	buf->len += len;
}

/* Writes two digits at a time: a fifth of the bytes of an event's JSON are numbers. */
void
buf_add_int(struct buf *buf, long long n)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
				    "2021222324252627282930313233343536373839"
				    "4041424344454647484950515253545556575859"
				    "6061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	char digits[24], *at = digits + sizeof(digits);
	unsigned long long left = n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n;

	for (; left >= 100; left /= 100)
		at = memcpy(at - 2, pairs + 2 * (left % 100), 2);
	if (left >= 10)
		at = memcpy(at - 2, pairs + 2 * left, 2);
	else
		*--at = (char)('0' + left);
	if (n < 0)
		*--at = '-';
	buf_add(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void
buf_clear(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}
