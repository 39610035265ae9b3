/* A source of accounts for the name service switch, as LDAP or sssd are: it knows one account and its groups, which
 * stand in no file. Built by the test that needs it. */

#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <string.h>

static const char NAME[] = "provost-directory";
enum { UID = 54321, GID = 54322, OTHER_GROUP = 54323 };

static enum nss_status describe(struct passwd *account, char *buffer, size_t size, int *error)
{
    if (size < sizeof NAME) {
        *error = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    memcpy(buffer, NAME, sizeof NAME);
    account->pw_name = buffer;
    account->pw_passwd = account->pw_gecos = "";
    account->pw_dir = "/";
    account->pw_shell = "/bin/sh";
    account->pw_uid = UID;
    account->pw_gid = GID;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_provost_getpwnam_r(const char *name, struct passwd *account, char *buffer, size_t size,
                                        int *error)
{
    return strcmp(name, NAME) == 0 ? describe(account, buffer, size, error) : NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_provost_getpwuid_r(uid_t uid, struct passwd *account, char *buffer, size_t size, int *error)
{
    return uid == UID ? describe(account, buffer, size, error) : NSS_STATUS_NOTFOUND;
}

/* The list has room for at least one more: the C library starts with the primary group and some space. */
enum nss_status _nss_provost_initgroups_dyn(const char *name, gid_t primary, long *used, long *size, gid_t **groups,
                                            long most, int *error)
{
    (void)primary, (void)most, (void)error;
    if (strcmp(name, NAME) != 0 || *used >= *size)
        return NSS_STATUS_NOTFOUND;
    (*groups)[(*used)++] = OTHER_GROUP;
    return NSS_STATUS_SUCCESS;
}
