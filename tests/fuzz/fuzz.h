/*
 * fuzz.h - what a fuzz target is: one function that takes any bytes and asserts what must be true
 * of them.
 *
 * libFuzzer calls it (-Dfuzz=true, see meson.build), and so does replay.c with the saved corpus in
 * every ./check.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
