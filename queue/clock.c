/* clock.c - clock_gettime, which no other file of the server calls. */
#include "queue/clock.h"

#include <time.h>

static int64_t
read_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct clock
read_kernel(void)
{
	return (struct clock){ read_us(CLOCK_REALTIME) / 1000, read_us(CLOCK_BOOTTIME) / 1000 };
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
