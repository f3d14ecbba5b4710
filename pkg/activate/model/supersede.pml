/* Pushes that come in while others build [supersede.go, prereceive.go], for
 * three pushes: README.md says how this is read. The names in [brackets] are the
 * code's. What becomes of a push that was built is in deployment.pml; here it
 * is activated with success. Up to KILLS pushers are cut off, and up to ERRORS
 * pushes do not build. */

#ifndef KILLS
#define KILLS 0
#endif
#ifndef ERRORS
#define ERRORS 0
#endif
#define N 3

/* outcomes */
#define SUCCEEDED 1
#define FAILED 2
#define INTERRUPTED 3
#define ENDED 4      /* a newer push has its commit [supersededError] */
#define OVERTAKEN 5  /* the branch has moved meanwhile [stillNewest, Node.record] */

#define BASE 0       /* the commit that the branch is at; push i has commit c[i] */
byte c[N];
byte has[N + 1];     /* has[x]: bit y: commit y is x, or an ancestor of it */
#define HAS(x, y) ((has[x] >> (y)) & 1)

byte branch = BASE;
byte outcome[N], newer[N]; /* newer: 1 + the push that ends it [newerFile] */
bool held[N];        /* [DeploymentLock], by the receiver */
bool building[N];    /* its commitFile is there */
bool job[N], receiving[N], running[N], came[N];
byte kills, errors;

inline tell(i, o) { assert(outcome[i] == 0); outcome[i] = o }

#ifdef MUTATION_DIVERGED_ENDS
#define CONTAINS(x, y) ((x) != (y))
#elif defined(MUTATION_SAME_ENDS)
#define CONTAINS(x, y) HAS(x, y)
#else
#define CONTAINS(x, y) ((x) != (y) && HAS(x, y))
#endif

#define MAYEND(j) (j != i && building[j] && !job[j] && held[j] && CONTAINS(c[i], c[j]))

proctype push(byte i) {
	byte j, before;
	atomic {
		if
		:: HAS(c[i], branch) && !HAS(branch, c[i]) -> came[i] = true
		:: else -> goto gone /* there is nothing to push, or to merge first */
		fi;
		before = branch; receiving[i] = true; held[i] = true; building[i] = true /* [whileNewest] */
	};
	do /* [deployment.supersede]: each look is a moment of its own */
	:: atomic { j < N && !MAYEND(j) -> j++ }
	:: j < N && MAYEND(j) -> atomic { newer[j] = 1 + i; j++ } /* it may have been built since */
	:: atomic { j == N -> j = 0; break }
	od;
	if /* the build */
	:: newer[i] -> goto ended
	:: atomic { errors < ERRORS -> errors++; tell(i, FAILED); goto over }
	:: atomic { kills < KILLS -> kills++; tell(i, INTERRUPTED); goto over }
	:: skip
	fi;
	if /* [stillNewest] */
	:: atomic { branch != before -> tell(i, OVERTAKEN); goto over }
	:: branch == before
	fi;
	if
	:: newer[i] -> goto ended
	:: atomic { job[i] = true; running[i] = true; run runner(i) }
	fi;
#ifdef MUTATION_ENDS_WHAT_IS_BUILT
	if
	:: newer[i] -> goto ended
	:: skip
	fi;
#endif
	held[i] = false;
	atomic { /* git */
		if
		:: kills < KILLS -> kills++
		:: branch == before -> branch = c[i]
		:: else
		fi;
		receiving[i] = false };
	goto gone;
ended:	atomic { tell(i, ENDED); assert(outcome[newer[i] - 1] != ENDED || newer[newer[i] - 1] != 1 + i) };
over:	atomic { receiving[i] = false; held[i] = false };
gone:	skip
}

proctype runner(byte i) {
	atomic { !held[i] && (HAS(branch, c[i]) || !receiving[i]); /* [awaitBranch] */
		if
		:: branch == c[i] -> tell(i, SUCCEEDED)
		:: branch != c[i] && HAS(branch, c[i]) -> tell(i, OVERTAKEN)
		:: else -> tell(i, INTERRUPTED)
		fi;
		running[i] = false }
}

/* Who ended i, or who ended that one, and so on: it goes up to a push that nothing has ended. */
inline last(i) { k = i; do :: outcome[k] == ENDED -> k = newer[k] - 1 :: else -> break od }

proctype world() {
	byte i, k; bool any;
	timeout;
	atomic {
		do
		:: i < N ->
			assert(!came[i] || outcome[i]); assert(!held[i] && !receiving[i] && !running[i]);
			if
			:: outcome[i] == ENDED ->
				/* nothing is given up but for a push that has it */
				last(i); assert(came[k] && k != i && HAS(c[k], c[i]))
			:: else
			fi;
			any = any || came[i]; i++
		:: i == N -> break
		od;
		/* Somebody's push arrives: pushes do not keep each other from ever being deployed. */
		assert(!any || kills || errors || branch != BASE)
	}
}

init {
	atomic {
		has[BASE] = 1; has[1] = 1 | 2; has[2] = 1 | 4; has[3] = 1 | 8;
		c[0] = 1;
		if :: c[1] = 1 :: c[1] = 2 fi;
		if :: c[2] = c[1] :: c[2] = 3 fi;
		if :: has[2] = has[2] | has[1] :: skip fi;
		if :: has[3] = has[3] | has[1] :: skip fi;
		if :: has[3] = has[3] | has[2] :: skip fi;
		run push(0); run push(1); run push(2); run world()
	}
}
