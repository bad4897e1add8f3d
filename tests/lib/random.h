/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers that are the same everywhere for the same seed. */
#ifndef VENEER_TESTS_RANDOM_H
#define VENEER_TESTS_RANDOM_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

/* Multiplied by another constant: or one seed's numbers are the next one's,
 * one step later. */
static inline struct rng rng_seed(uint64_t seed)
{
	return (struct rng) { (seed + 1) * 0xd1342543de82ef95ULL };
}

/* A number under n. */
static inline unsigned int rng_under(struct rng *r, unsigned int n)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % n;
}

/* An index of weight, as often as it weighs. */
static inline unsigned int rng_weighted(struct rng *r, const unsigned char *weight,
					unsigned int count)
{
	unsigned int sum = 0, n;

	for (unsigned int i = 0; i < count; i++)
		sum += weight[i];
	n = rng_under(r, sum);
	for (unsigned int i = 0; ; i++) {
		if (n < weight[i])
			return i;
		n -= weight[i];
	}
}

#endif
