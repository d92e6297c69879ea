/*
 * wal_scan.c - reads a WAL frame by frame.
 *
 * The form of a WAL is SQLite's (sqlite.org/walformat.html). Each frame has the salts of the WAL's
 * header, and a checksum that continues that of the frame before it. So of two frames that follow
 * each other it can be told whether they were written so, even where those before them are damaged:
 * the checksum that the first one bears, or should bear, leads to that of the second. A commit is
 * whole if that holds for all its frames.
 *
 * Frames of an earlier round of the WAL, which has started over since, have other salts, and do not
 * count. Where the header itself is not valid, the salts are those of the first frame that follows
 * the one before it. Such a header may be what a crash has left of a WAL that starts over. Then
 * nothing is lost with its frames: a WAL starts over only when the database has all of its pages.
 *
 * Of a frame that is lost whole, the one behind it cannot be checked, and counts by its salts: they
 * are random. Whether the lost one ended a commit is unknown too, so it is taken to have. A torn
 * commit still counts once at most, as only its last frame says that it ends.
 */
#include "queue/sqlite/wal_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "queue/sqlite/database.h"
#include "queue/sqlite/format.h"
#include "queue/sqlite/path.h"

#define MAGIC 0x377f0682u /* the lowest bit: checksums are of big-endian words */
#define HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define FRAME_BYTES (FRAME_HEADER_BYTES + PAGE_BYTES)

struct checksum {
	uint32_t a, b;
};

struct reader {
	int fd;
	bool big_endian;
	unsigned char salts[8];
	/* that the last frame, or the header, bears; and what it should bear: either may be damaged
	 */
	struct checksum before, computed;
	int into;        /* the pages of valid frames go there, */
	uint32_t copied; /* up to this frame */
	uint32_t frames; /* read so far */
	bool this_round; /* the last frame has the salts */
	bool lost;       /* nothing of the last frame is valid, so its checksum says nothing */
	bool behind;     /* a frame was not valid */
	bool broken;     /* one of the commit that is being read was not */
	bool doubted;    /* and none was lost since, so that this commit does not count */
};

static off_t
frame_at(uint32_t i)
{
	return HEADER_BYTES + (off_t)i * FRAME_BYTES;
}

static bool
read_block(int fd, void *into, size_t bytes, off_t at)
{
	return pread(fd, into, bytes, at) == (ssize_t)bytes;
}

static uint32_t
read_word(const struct reader *r, const unsigned char *p)
{
	if (r->big_endian)
		return format_be32(p);
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* bytes is a multiple of 8. */
static struct checksum
add_checksum(const struct reader *r, struct checksum sum, const unsigned char *p, size_t bytes)
{
	for (const unsigned char *end = p + bytes; p < end; p += 8) {
		sum.a += read_word(r, p) + sum.b;
		sum.b += read_word(r, p + 4) + sum.a;
	}
	return sum;
}

static struct checksum
read_checksum(const unsigned char *p)
{
	return (struct checksum){ format_be32(p), format_be32(p + 4) };
}

static bool
same_checksum(struct checksum x, struct checksum y)
{
	return x.a == y.a && x.b == y.b;
}

static bool
is_valid_header(struct reader *r, const unsigned char *header)
{
	r->computed = add_checksum(r, (struct checksum){ 0 }, header, 24);
	return (format_be32(header) & ~1u) == MAGIC && format_be32(header + 8) == PAGE_BYTES &&
	       same_checksum(r->computed, r->before);
}

/* The checksum of a frame behind one with the checksum `before`. */
static struct checksum
frame_checksum(const struct reader *r, struct checksum before, const unsigned char *frame)
{
	struct checksum sum = add_checksum(r, before, frame, 8);

	return add_checksum(r, sum, frame + FRAME_HEADER_BYTES, PAGE_BYTES);
}

/* The salts of the first frame that follows the one before it; none: there is no such frame. */
static void
find_salts(struct reader *r)
{
	unsigned char frame[FRAME_BYTES];
	struct checksum before = { 0 };

	for (off_t at = HEADER_BYTES; pread(r->fd, frame, sizeof(frame), at) == FRAME_BYTES;
	     at += FRAME_BYTES) {
		struct checksum bears = read_checksum(frame + 16);

		if (at > HEADER_BYTES && format_be32(frame) != 0 &&
		    same_checksum(frame_checksum(r, before, frame), bears)) {
			memcpy(r->salts, frame + 8, sizeof(r->salts));
			return;
		}
		before = bears;
	}
}

/*
 * Begins with the header. One that is not valid leaves the salts to the frames; the order of bytes
 * is then this machine's, which SQLite writes.
 */
static void
read_header(struct reader *r, const unsigned char *header)
{
	r->before = read_checksum(header + 24);
	r->big_endian = (format_be32(header) & 1) != 0;
	memcpy(r->salts, header + 16, sizeof(r->salts));
	r->behind = !is_valid_header(r, header);
	if (!r->behind)
		return;
	r->big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	find_salts(r);
}

/* Whether the frame was written behind the one before it, in this round of the WAL. */
static bool
follows(struct reader *r, const unsigned char *frame)
{
	struct checksum bears = read_checksum(frame + 16),
			sum = frame_checksum(r, r->before, frame);

	if (!same_checksum(sum, bears) && !same_checksum(r->before, r->computed))
		sum = frame_checksum(r, r->computed, frame);
	bool is_summed = format_be32(frame) != 0 && same_checksum(sum, bears);
	r->before = bears;
	r->computed = sum;
	r->this_round = memcmp(frame + 8, r->salts, sizeof(r->salts)) == 0;
	r->lost = !r->this_round && !is_summed;
	return r->this_round && is_summed;
}

static int
copy_page(const struct reader *r, const unsigned char *frame)
{
	off_t at = ((off_t)format_be32(frame) - 1) * PAGE_BYTES;

	return pwrite(r->into, frame + FRAME_HEADER_BYTES, PAGE_BYTES, at) == PAGE_BYTES ? 0 : -1;
}

static void
end_commit(struct reader *r, struct wal_scan *ret)
{
	bool is_behind = r->behind && !r->doubted;

	if (r->this_round)
		ret->committed = r->frames;
	if (is_behind)
		ret->commits_behind++;
	else if (!r->broken)
		ret->commits++;
	if (is_behind || !r->broken)
		ret->whole = r->frames;
	r->broken = false;
}

static int
read_frame(struct reader *r, const unsigned char *frame, struct wal_scan *ret)
{
	bool ends_commit = format_be32(frame + 4) != 0, behind_lost = r->lost,
	     is_valid = follows(r, frame);

	if (!is_valid) {
		r->behind = r->broken = true;
		r->doubted = r->doubted || !behind_lost || !r->this_round;
	}
	if (!r->behind)
		ret->frames++;
	r->frames++;
	if (ends_commit)
		end_commit(r, ret);
	if (ends_commit || r->lost)
		r->doubted = false;
	return is_valid && r->frames <= r->copied ? copy_page(r, frame) : 0;
}

static int
read_frames(struct reader *r, struct wal_scan *ret)
{
	unsigned char header[HEADER_BYTES], frame[FRAME_BYTES];
	off_t at = HEADER_BYTES;
	ssize_t n = pread(r->fd, header, sizeof(header), 0);

	if (n == HEADER_BYTES)
		n = pread(r->fd, frame, sizeof(frame), at);
	if (n == FRAME_BYTES)
		read_header(r, header);
	ret->bad_header = r->behind;
	for (; n == FRAME_BYTES; n = pread(r->fd, frame, sizeof(frame), at)) {
		if (read_frame(r, frame, ret) < 0)
			return -1;
		at += FRAME_BYTES;
	}
	return n < 0 ? -1 : 0;
}

static int
scan(const char *path, int into, uint32_t copied, struct wal_scan *ret, struct error *err)
{
	char *name = path_with_suffix(path, "-wal");
	struct reader r = { .fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
			    .into = into,
			    .copied = copied };
	int failed = 0;

	*ret = (struct wal_scan){ 0 };
	if ((r.fd < 0 && errno != ENOENT) || (r.fd >= 0 && read_frames(&r, ret) < 0))
		failed = error_set(err, ERROR_STORAGE_FAILED, "cannot read or apply %s: %s", name,
				   strerror(errno));
	if (r.fd >= 0)
		close(r.fd);
	free(name);
	return failed;
}

int
wal_scan(const char *path, struct wal_scan *ret, struct error *err)
{
	return scan(path, -1, 0, ret, err);
}

int
wal_apply(const char *path, int into, struct wal_scan *ret, struct error *err)
{
	if (scan(path, -1, 0, ret, err) < 0)
		return -1;
	return scan(path, into, ret->whole, ret, err);
}

/* --- a header that is not valid --- */

/*
 * Whether the database has the last version of every page of these frames, read from the last one
 * back. seen has a bit for each page of the database.
 */
static bool
has_pages(int database, int wal, uint32_t frames, unsigned char *seen, uint32_t pages)
{
	unsigned char frame[FRAME_BYTES], page[PAGE_BYTES];

	for (uint32_t i = frames; i-- > 0;) {
		if (!read_block(wal, frame, sizeof(frame), frame_at(i)))
			return false;
		uint32_t number = format_be32(frame) - 1;
		if (number >= pages || (seen[number / 8] & 1 << number % 8) != 0)
			continue; /* a page behind the end was cut off by a later commit */
		seen[number / 8] |= (unsigned char)(1 << number % 8);
		if (!read_block(database, page, sizeof(page), (off_t)number * PAGE_BYTES) ||
		    memcmp(page, frame + FRAME_HEADER_BYTES, sizeof(page)) != 0)
			return false;
	}
	return true;
}

static bool
is_checkpointed(const char *path, uint32_t frames)
{
	char *name = path_with_suffix(path, "-wal");
	int database = open(path, O_RDONLY | O_CLOEXEC), wal = open(name, O_RDONLY | O_CLOEXEC);
	unsigned char last[FRAME_HEADER_BYTES];
	bool has =
	    database >= 0 && wal >= 0 && read_block(wal, last, sizeof(last), frame_at(frames - 1));

	uint32_t pages = has ? format_be32(last + 4) : 0;
	if (has && lseek(database, 0, SEEK_END) >= (off_t)pages * PAGE_BYTES) {
		unsigned char *seen = mem_alloc(pages / 8 + 1);

		has = has_pages(database, wal, frames, seen, pages);
		free(seen);
	} else
		has = false;
	if (database >= 0)
		close(database);
	if (wal >= 0)
		close(wal);
	free(name);
	return has;
}

int
wal_check(const char *path, struct error *err)
{
	struct wal_scan scan;

	if (wal_scan(path, &scan, err) < 0)
		return -1;
	if (scan.commits_behind <= WAL_COMMITS_BEHIND_MAX ||
	    (scan.bad_header && is_checkpointed(path, scan.committed)))
		return 0;
	return error_set(
	    err, ERROR_STORAGE_CORRUPT,
	    "%s-wal is damaged %s%u, and %u whole commits stand behind it; nothing was "
	    "changed; sevqd salvage copies what can be read",
	    path, scan.bad_header ? "in its header, before frame " : "in frame ", scan.frames + 1,
	    scan.commits_behind);
}
