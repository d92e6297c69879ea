/*
 * serve.h - the service: start, the loop, stop.
 *
 * Here: the order in which things start and end, signals, exit codes. Not here: what any of them does.
 */
#ifndef SEVQ_SERVER_SERVE_H
#define SEVQ_SERVER_SERVE_H

/* Runs sevqd to its end and returns the exit code (sevqd --help lists them). */
int sevq_serve(int argc, char **argv);

#endif
