// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Interrupts for guests and exits of their CPUs, by the process of the VM.
//
// These are programs on tracepoints by name, as KVM is mostly a module, and one without types of
// its own has no others.
#include "tally.bpf.h"

// A VM's counts, in this order; the reader knows it.
enum { count_msi, count_line, count_accepted, count_eoi, count_pv_eoi, count_kinds };

// Places of exits: Intel's reasons and most of AMD's are below 240; AMD's four from 0x400 on
// (nested page faults, AVIC) stand behind, and what is none of these shares the last.
enum { exit_places = 256, amd_reasons = 0x400, amd_place = 240 };

struct vm_counts {
    u64 kinds[count_kinds];
    u64 exits[exit_places];
};

// kvm:kvm_exit as all kernels lay it out, as far as it is read here.
struct exit_fields {
    u64 common;
    u32 exit_reason;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct vm_counts);
} counts SEC(".maps");

static __always_inline struct vm_counts *counts_of_current(void) {
    u32 process = bpf_get_current_pid_tgid() >> 32;
    u64 *slot = bpf_map_lookup_elem(&slots, &process);
    if (!slot) return 0;
    u32 place = (u32)*slot;
    return bpf_map_lookup_elem(&counts, &place);
}

static __always_inline int count_kind(int kind) {
    struct vm_counts *found = counts_of_current();
    if (found) found->kinds[kind] += 1;
    return 0;
}

SEC("tracepoint/kvm/kvm_msi_set_irq")
int msi(void *fields) { return count_kind(count_msi); }

SEC("tracepoint/kvm/kvm_set_irq")
int line(void *fields) { return count_kind(count_line); }

SEC("tracepoint/kvm/kvm_apic_accept_irq")
int accepted(void *fields) { return count_kind(count_accepted); }

SEC("tracepoint/kvm/kvm_eoi")
int eoi(void *fields) { return count_kind(count_eoi); }

SEC("tracepoint/kvm/kvm_pv_eoi")
int pv_eoi(void *fields) { return count_kind(count_pv_eoi); }

SEC("tracepoint/kvm/kvm_exit")
int left(struct exit_fields *fields) {
    struct vm_counts *found = counts_of_current();
    if (!found) return 0;
    // Intel's upper half has flags.
    u32 place = fields->exit_reason & 0xffff;
    if ((place & ~3u) == amd_reasons) place = amd_place + (place & 3);
    else if (place >= amd_place) place = exit_places - 1;
    found->exits[place] += 1;
    return 0;
}

// As the other programs here.
char license_text[] SEC("license") = "Dual MIT/GPL";
