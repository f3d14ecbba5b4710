/* Every transition, operation and record that the search comes across is
 * printed, once: the tables beside this file. */
c_decl {
	\#include <stdio.h>
	static unsigned char seen_go[3][6][13][32][13][32][8], seen_do[13][12][2], seen_record[7][8][4];
	static char *phases[] = {"none", "begun", "switching", "arming", "rebooting", "booting", "checking", "confirming", "committing",
		"rolling-back", "going-back", "returned", "finished"};
	static char *outcomes[] = {"", "succeeded", "failed", "rolled-back", "interrupted", "rollback-failed", "superseded", "locked"};
	static char *actions[] = {"", "switch", "boot", "test", "reboot", "rollback", "rollback-boot"};
	static char *ops[] = {"switch-test", "set-profile", "switch-boot", "arm", "disarm", "ready", "healthy", "reset-confirmation",
		"reached", "confirmed", "reboot", "booted"};
	static char *causes[] = {"", " died", " rebooted"};
	static void flags(int f) {
		printf("%s%s%s%s%s", f & 1 ? "+live" : "", f & 2 ? "+boot" : "", f & 4 ? "+trial" : "", f & 8 ? "+turned" : "", f & 16 ? "+interrupted" : "");
	}
	static void saw_go(int a, int p, int f, int np, int nf, int o, int cause) {
		if (seen_go[cause][a][p][f][np][nf][o]++) { seen_go[cause][a][p][f][np][nf][o] = 1; return; }
		printf("go %s: %s", actions[a], phases[p]); flags(f);
		printf(" -> %s", phases[np]); flags(nf);
		printf("%s%s%s\n", o ? " " : "", outcomes[o], causes[cause]);
	}
	static void saw_do(int p, int op, int isnew) {
		if (op > 2) isnew = 0;
		if (seen_do[p][op][isnew]) return;
		seen_do[p][op][isnew] = 1;
		printf("do %s: %s%s\n", phases[p], ops[op], op > 2 ? "" : isnew ? " new" : " old");
	}
	static void saw_record(int a, int o, int branch, int back) {
		if (seen_record[a][o][branch * 2 + back]) return;
		seen_record[a][o][branch * 2 + back] = 1;
		int put = a < 5 && !back && o != 1 && (o != 6 || branch);
		printf("record %s %s%s%s:%s%s%s%s%s\n", actions[a], outcomes[o], branch ? " on-branch" : "", back ? " belongs" : "",
			o == 1 && a != 2 && a != 6 ? " current" : "", o == 1 && a != 3 ? " boot" : "", o == 1 && a < 5 ? " branch" : "",
			put ? " failed" : "", put && branch ? " back" : "");
	}
}
