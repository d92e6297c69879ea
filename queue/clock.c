/* clock.c - clock_gettime, which no other file of the server calls, and the kernel's boot id. */
#include "queue/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <unistd.h>

static int64_t
read_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The boot id, a UUID in hexadecimal: 64 bits of it, however the kernel writes its digits. */
static uint64_t
read_boot_id(void)
{
	static const char digits[] = "0123456789abcdef";
	char text[37] = "";
	uint64_t id = 0;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	ssize_t bytes = read(fd, text, sizeof(text) - 1);
	close(fd);
	for (ssize_t i = 0; i < bytes && text[i] != '\0'; i++) {
		const char *digit = strchr(digits, text[i]);

		if (digit != NULL)
			id = id << 4 ^ id >> 60 ^ (uint64_t)(digit - digits);
	}
	return id;
}

static struct clock
read_kernel(void)
{
	static uint64_t boot_id;
	static bool known;

	if (!known)
		boot_id = read_boot_id();
	known = true;
	return (struct clock){ read_us(CLOCK_REALTIME) / 1000, read_us(CLOCK_BOOTTIME) / 1000,
			       boot_id };
}

struct clock (*clock_now)(void) = read_kernel;

int64_t
clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_processor_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t
clock_coarse_ms(void)
{
	return read_us(CLOCK_MONOTONIC_COARSE) / 1000;
}

int64_t
clock_coarse_wall_s(void)
{
	return read_us(CLOCK_REALTIME_COARSE) / 1000000;
}
