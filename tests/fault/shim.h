/*
 * shim.h - a SQLite VFS that passes everything to the real one, except the calls it was told to
 * fail.
 *
 * Here: counting calls by kind, and failing the k-th, or all from the k-th on.
 * Not here: what should happen then (fault_test.c).
 */
#ifndef TESTS_SHIM_H
#define TESTS_SHIM_H

#include <stdbool.h>

enum shim_kind {
	SHIM_WRITE, /* writes some of its bytes before it fails */
	SHIM_SYNC,
	SHIM_READ,
	SHIM_TRUNCATE,
	SHIM_OPEN,
	SHIM_DELETE,
	SHIM_LOCK, /* taking one; letting go never fails */
	SHIM_SHM,
	SHIM_KIND_COUNT
};

struct shim_fault {
	enum shim_kind kind;
	int k; /* which call of the kind, from 1; 0: none */
	int code;
	bool from_then_on;
	int missing; /* bytes at the end of what should have been written; 0: half of it */
	/* a sync: what was written since the last is as it was before, as the kernel may do */
	bool forgets;
};

void shim_register(void); /* as the default VFS, once */

/* Counts from 0 again and fails as told. */
void shim_arm(const struct shim_fault *fault);
void shim_disarm(void);

int shim_failed(void);               /* how many calls failed since shim_arm */
int shim_calls(enum shim_kind kind); /* how many there were */

#endif
