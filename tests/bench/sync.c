/*
 * sync.c - the bare disk: appends and syncs in turn, in a growing file; the best that a durable
 * program can do.
 */
#include <err.h>
#include <fcntl.h>

#include <unistd.h>

#include "modes.h"

#define SYNC_BYTES 4096

static void
append(const struct load *load, int fd)
{
	static const char bytes[SYNC_BYTES] = "sevq";

	if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || fdatasync(fd) < 0)
		err(1, "%s", load->dir);
}

static void
run(struct load *load)
{
	const int dir = open(load->dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	const int fd =
	    openat(dir, "sync", O_CREAT | O_TRUNC | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
	uint64_t begun;

	if (fd < 0)
		err(1, "%s", load->dir);
	load_begin(load);
	for (; !load_is_over(load); load->rounds_begun++) {
		begun = load->now_us;
		append(load, fd);
		load->now_us = now_us();
		load_count(load, begun, load->now_us);
	}
	unlinkat(dir, "sync", 0);
	close(fd);
	close(dir);
}

const struct mode sync_mode = { .name = "sync", .run = run };
