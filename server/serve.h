/*
 * serve.h - the service: start, the loop, stop.
 *
 * Here: the order in which things start and end, signals, exit codes. Not here: what any of them
 * does.
 */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

/* Runs sevqd to its end and returns the exit code (sevqd --help lists them). */
int serve_main(int argc, char **argv);

#endif
