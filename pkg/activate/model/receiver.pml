#ifdef FEW
#define ANYKIND (i > 0)
#else
#define ANYKIND true
#endif

/* A pusher, and git with its hooks at the node [PreReceive]; or somebody who
 * asks for the tip again, or for a rollback [Request.run]. */
proctype receiver(byte i) {
	{
	atomic {
		if
		:: d[i].commit = PUSHED + i; d[i].before = branch /* a push: git was told where the branch is */
		:: ANYKIND && !PINNED -> d[i].again = true; d[i].commit = branch; d[i].before = branch
		:: ANYKIND -> d[i].action = ROLLBACK; d[i].commit = OLD
		:: ANYKIND -> d[i].action = ROLLBACK; d[i].commit = NOW
		:: goto gone /* nobody comes */
		fi;
		if
		:: d[i].action != ROLLBACK -> d[i].action = SWITCH
#ifndef FEW
		:: d[i].action != ROLLBACK -> d[i].action = BOOT
		:: d[i].action != ROLLBACK -> d[i].action = TEST
#if N == 1
		:: d[i].action != ROLLBACK -> d[i].action = REBOOT
#endif
#endif
		:: d[i].action == ROLLBACK
		fi;
		if
		:: d[i].action == REBOOT -> bootsonce = true
		:: true
		fi;
#if N > 1
		d[i].confirm = true;
#else
		if :: d[i].confirm = true :: skip fi;
#endif
		d[i].lock = RECEIVER(i); d[i].receiving = true /* [Layout.Create] */
	};
	if
	:: goto refused /* for what it is, or because it does not build */
	:: atomic { d[i].action != ROLLBACK && !d[i].again && branch != d[i].before -> goto refused } /* [stillNewest] */
	:: atomic { d[i].action == ROLLBACK || d[i].again || branch == d[i].before -> d[i].job = true;
		if
		:: d[i].action == BOOT -> allowed = allowed | (1 << d[i].commit)
		:: else
		fi }
	fi;
	d[i].running = true; /* [activate.Start] */
	atomic { release(i); if :: d[i].again || d[i].action == ROLLBACK -> d[i].receiving = false; goto gone :: else fi };
#ifdef MUTATION_BRANCH_OVERWRITTEN
	atomic { branch = d[i].commit; d[i].moved = true; d[i].receiving = false };
#else
	atomic { if :: branch == d[i].before -> branch = d[i].commit; d[i].moved = true :: else fi; d[i].receiving = false };
#endif
	goto gone;
refused:
	atomic { d[i].outcomes++; assert(d[i].outcomes == 1); d[i].receiving = false; release(i) };
gone:	skip
	} unless { atomic { cutoff[i] -> cutoff[i] = false } }
}
