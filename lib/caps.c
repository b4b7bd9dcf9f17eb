/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "caps.h"

#include <linux/capability.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "sys.h"

#define CAPS_MAX 64

static void cap_freep(cap_t *cap)
{
	if (*cap)
		cap_free(*cap);
}

static uint64_t flag_bits(cap_t cap, cap_flag_t flag)
{
	uint64_t bits = 0;

	for (int i = 0; i < CAPS_MAX; i++) {
		cap_flag_value_t value = CAP_CLEAR;

		/* fails beyond the last capability of libcap */
		if (cap_get_flag(cap, i, flag, &value) == 0 && value == CAP_SET)
			bits |= BIT(i);
	}
	return bits;
}

int pt_caps_parse(const char *text, struct pt_caps *ret_caps)
{
	CLEANUP(cap_freep) cap_t cap = NULL;

	cap = cap_from_text(text);
	if (!cap)
		return errno == ENOMEM ? -ENOMEM : -EINVAL;

	ret_caps->permitted = flag_bits(cap, CAP_PERMITTED);
	ret_caps->effective = flag_bits(cap, CAP_EFFECTIVE);
	ret_caps->ambient = ret_caps->effective & ret_caps->permitted;
	ret_caps->inheritable = flag_bits(cap, CAP_INHERITABLE) |
				ret_caps->ambient;
	ret_caps->bounding = ret_caps->permitted | ret_caps->inheritable;
	return 0;
}

int pt_caps_limit(const struct pt_caps *caps, bool lenient)
{
	for (unsigned long i = 0; i < CAPS_MAX; i++) {
		int r;

		r = sys_prctl(PR_CAPBSET_READ, i, 0);
		if (r == -EINVAL) /* beyond the kernel's last capability */
			break;
		if (r <= 0 || caps->bounding & BIT(i))
			continue;

		r = sys_prctl(PR_CAPBSET_DROP, i, 0);
		if (r < 0 && !(r == -EPERM && lenient))
			return r;
	}
	return sys_prctl(PR_SET_KEEPCAPS, 1, 0);
}

int pt_caps_apply(const struct pt_caps *caps)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int r;

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted = (uint32_t)(caps->permitted >> 32 * i);
		data[i].effective = (uint32_t)(caps->effective >> 32 * i);
		data[i].inheritable = (uint32_t)(caps->inheritable >> 32 * i);
	}
	r = sys_capset(&header, data);
	if (r < 0)
		return r;

	r = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
	if (r < 0)
		return r;
	for (unsigned long i = 0; i < CAPS_MAX; i++) {
		if (!(caps->ambient & BIT(i)))
			continue;
		r = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i);
		if (r < 0)
			return r;
	}
	return 0;
}
