// SPDX-License-Identifier: GPL-2.0-only
/* Source: where the bytes of a regular file come from. */
#include "blockmap.h"
#include "chain.h"
#include "inode.h"
#include "source.h"
#include "split.h"

/* Is it the upper's, as the block map says?  Else *@want is cut to below's. */
static bool from_upper(struct veneer_split *split, loff_t pos,
		       loff_t *want)
{
	const loff_t below_size = veneer_below_size(split);
	const u8 shift = split->record.block_shift;
	loff_t len;
	bool here;
	u64 next;

	if (pos >= below_size)
		return true;
	len = min(*want, below_size - pos);
	here = veneer_blockmap_run(&split->map, pos >> shift,
				   (pos + len - 1) >> shift, &next);
	/* What follows below's bytes is the upper's, too. */
	if (here && ((loff_t)next << shift) >= below_size)
		return true;
	*want = min_t(u64, here ? *want : len, (next << shift) - pos);
	return here;
}

/**
 * veneer_source_below - veneer_source(), of a file that is not whole
 * @inode: the file, as for veneer_source()
 * @pos: the offset
 * @want: how many bytes are of interest; not 0
 */
struct veneer_run veneer_source_below(const struct inode *inode, loff_t pos,
				      loff_t want)
{
	struct veneer_split *split = veneer_inode_split(inode);
	struct veneer_run run = { .where = VENEER_FROM_UPPER, .len = want };
	struct veneer_chain *chain;
	unsigned int link = 0;

	if (split && from_upper(split, pos, &run.len))
		return run;

	chain = veneer_inode_chain(inode);
	/* Known since the file was opened. */
	if (WARN_ON_ONCE(IS_ERR(chain)))
		return run;
	if (chain->nr > 1)
		link = veneer_chain_source(chain, pos, run.len, &run.len);
	run.where = VENEER_FROM_LINK(link);
	return run;
}
