/// The facts there are. Each says its type and unit, and where it usually comes from; its raw value
/// is its name in recordings and JSON, and never changes its meaning.
///
/// A name that ends in `_per_s`, `_percent`, … is a rate or share over the time between the last
/// two readings, which is longer than a sample's.
public enum FactName: String, Sendable, Hashable, CaseIterable {
    // MARK: The host

    /// Text: `uname -r`, /proc/sys/kernel/osrelease.
    case kernelRelease = "kernel_release"
    /// Text: /proc/cmdline.
    case bootCommandLine = "boot_command_line"
    /// Text: `uname -m`, /proc/sys/kernel/arch or the ELF class of /proc/self/exe.
    case architecture
    /// Number: CPUs online, /sys/devices/system/cpu/online.
    case cpuCount = "cpu_count"
    /// Texts: CPUs that share a core, each as `0,4`; only cores of more than one
    /// (…/cpuN/topology/thread_siblings_list).
    case threadSiblings = "thread_siblings"
    /// Number: NUMA nodes with memory, /sys/devices/system/node/has_memory.
    case numaNodes = "numa_nodes"
    /// Flag: the host is a VM itself (`hypervisor` in /proc/cpuinfo flags).
    case isVirtualMachine = "is_virtual_machine"
    /// Flag: /proc/sys/kernel/task_delayacct; where it does not exist, false only with
    /// `nodelayacct` on the boot line.
    case delayAccounting = "delay_accounting"
    /// Text: /sys/devices/system/clocksource/clocksource0/current_clocksource.
    case clocksource
    /// Number: Linux AIO requests reserved and allowed, /proc/sys/fs/aio-nr, aio-max-nr.
    case aioReserved = "aio_reserved"
    case aioLimit = "aio_limit"
    /// Number: 0 for all, 1 for a group, 2 for nobody: /proc/sys/kernel/io_uring_disabled (Linux
    /// 6.6; 0 before).
    case ioUringDisabled = "io_uring_disabled"
    /// Number, bytes: /proc/meminfo.
    case memoryTotal = "memory_total_bytes"
    case memoryAvailable = "memory_available_bytes"
    case swapTotal = "swap_total_bytes"
    case swapFree = "swap_free_bytes"
    case dirtyMemory = "dirty_bytes"
    case writebackMemory = "writeback_bytes"
    /// Flag: all swap is compressed memory (/proc/swaps).
    case swapIsZram = "swap_is_zram"
    /// Texts: whole disks that hold swap (/proc/swaps).
    case swapDisks = "swap_disks"
    /// Number, pages per second in and out: /proc/vmstat pswpin, pswpout.
    case swapRate = "swap_pages_per_s"
    /// Number, percent: /proc/pressure/memory and io, `some avg10`.
    case memoryPressure = "memory_pressure_percent"
    case ioPressure = "io_pressure_percent"
    /// Number, bytes: RAM promised to all QEMU processes of the host (`-m`), and what they have
    /// resident.
    case memoryPromised = "memory_promised_bytes"
    case memoryOfVMs = "memory_of_vms_bytes"
    /// Number: /sys/kernel/mm/ksm/run, pages_sharing; percent of one CPU of ksmd.
    case ksmRun = "ksm_run"
    case ksmPagesSharing = "ksm_pages_sharing"
    case ksmCPU = "ksm_cpu_percent"
    /// Text, the word in brackets: /sys/kernel/mm/transparent_hugepage/enabled, shmem_enabled.
    case hugePages = "transparent_hugepage"
    case sharedHugePages = "transparent_hugepage_shmem"
    /// Number: /proc/sys/vm/dirty_ratio, dirty_background_ratio, percent (0 where bytes are set),
    /// and what the limit comes to in bytes.
    case dirtyRatio = "dirty_ratio_percent"
    case dirtyBackgroundRatio = "dirty_background_ratio_percent"
    case dirtyLimit = "dirty_limit_bytes"
    /// Number, nanoseconds: /sys/module/kvm/parameters/halt_poll_ns.
    case haltPoll = "halt_poll_ns"
    /// Flag: interrupts delivered by the CPU: kvm_intel enable_apicv, kvm_amd avic.
    case apicVirtualization = "apic_virtualization"
    /// Text: /sys/module/kvm/parameters/nx_huge_pages, kvm_intel/parameters/vmentry_l1d_flush.
    case nxHugePages = "nx_huge_pages"
    case l1dFlush = "vmentry_l1d_flush"
    /// Text: the governor of most CPUs, cpufreq/scaling_governor; energy_performance_preference.
    case frequencyGovernor = "frequency_governor"
    case energyPreference = "energy_preference"
    /// Number, percent: the lowest scaling_cur_freq of a busy CPU through cpuinfo_max_freq.
    case frequencyShare = "frequency_percent"
    /// Number, percent of the time that the CPUs on which vCPUs and IOThreads of the VMs ran last
    /// spent in idle states that take 50 µs and more to leave (cpuidle/stateN/latency, time).
    case deepIdleShare = "deep_idle_percent"
    /// Number: interrupts of storage devices per second on all CPUs, the share of the busiest CPU,
    /// percent, its number, and its time in interrupts (hard and soft), percent: /proc/interrupts,
    /// /proc/stat.
    case storageInterruptRate = "storage_interrupts_per_s"
    case busiestInterruptShare = "busiest_interrupt_cpu_percent"
    case busiestInterruptCPU = "busiest_interrupt_cpu"
    case busiestInterruptTime = "busiest_interrupt_time_percent"
    /// Number: /proc/fs/nfsd/threads; per second: sockets-enqueued of pool_stats.
    case nfsServerThreads = "nfsd_threads"
    case nfsServerQueued = "nfsd_queued_per_s"
    /// Texts: exports with their options, /proc/fs/nfsd/exports.
    case nfsExports = "nfs_exports"
    /// Texts: the CPUs of each NUMA node, as `0 0-3,8-11` (/sys/devices/system/node/nodeN/cpulist).
    case nodeCPUs = "node_cpus"
    /// Number, bytes: huge pages set aside, of all sizes, and what of them is taken or promised
    /// (/sys/kernel/mm/hugepages/hugepages-*kB/nr_hugepages, free_hugepages, resv_hugepages).
    case hugePagePool = "huge_page_pool_bytes"
    case hugePagesTaken = "huge_pages_taken_bytes"
    /// Number, percent: the lowest scaling_cur_freq of a busy CPU through base_frequency, its clock
    /// without turbo (intel_pstate).
    case baseFrequencyShare = "frequency_of_base_percent"

    // MARK: A disk of the host

    /// Flag: queue/add_random.
    case addRandom = "add_random"
    /// Text: device/model, device/vendor.
    case model
    case vendor
    /// Number: hardware queues (entries of mq/).
    case hardwareQueues = "hardware_queues"
    /// Number: requests the device takes at once (device/queue_depth of SCSI).
    case deviceQueueDepth = "device_queue_depth"
    /// Text: `write back` or `write through`, queue/write_cache.
    case writeCache = "write_cache"
    /// Number, microseconds: queue/wbt_lat_usec; 0: off.
    case writebackThrottle = "wbt_lat_us"
    /// Number: queue/rq_affinity, queue/nomerges.
    case requestAffinity = "rq_affinity"
    case noMerges = "nomerges"
    /// Flag: queue/iostats.
    case accountsIO = "iostats"
    /// Number: queue/max_sectors_kb, bytes; queue/max_segments.
    case maxRequest = "max_request_bytes"
    case maxSegments = "max_segments"
    /// Number, bytes: queue/logical_block_size, physical_block_size, optimal_io_size.
    case logicalBlock = "logical_block_bytes"
    case physicalBlock = "physical_block_bytes"
    case optimalIO = "optimal_io_bytes"
    /// Number, bytes: alignment_offset.
    case alignmentOffset = "alignment_offset_bytes"
    /// Text: dm/uuid.
    case mapperUUID = "dm_uuid"
    /// Texts: disks it is made of, directly (slaves/), and at the bottom.
    case slaves
    case leaves
    /// Flag: loop/dio. Text: loop/backing_file.
    case loopDirectIO = "loop_direct_io"
    case loopFile = "loop_file"
    /// Number: device/numa_node or that of the PCI device above; -1: none.
    case numaNode = "numa_node"
    /// Number, percent of the time in flushes, and mean milliseconds of one (stat fields 16, 17).
    case flushTime = "flush_time_percent"
    case flushMean = "flush_mean_ms"
    /// Number: interrupts of its adapter per second (/proc/interrupts).
    case adapterInterrupts = "adapter_interrupts_per_s"
    /// Text: /sys/class/scsi_host/hostN/zio of qla2xxx.
    case interruptCoalescing = "interrupt_coalescing"
    /// Number: block:block_split per second.
    case splitRate = "splits_per_s"

    // MARK: A VM

    /// Text: `query-version` package: what the distribution calls it.
    case qemuPackage = "qemu_package"
    /// Text: `qom-get /machine type`, without `-machine`: `pc-q35-7.2`.
    case machineType = "machine_type"
    /// Flag: `query-machines` deprecated.
    case machineIsDeprecated = "machine_is_deprecated"
    /// Text: type of the first CPU without the architecture's suffix: `qemu64`, `host`.
    case cpuModel = "cpu_model"
    /// Texts: `unavailable-features` of the first CPU.
    case cpuMissingFeatures = "cpu_missing_features"
    /// Flags of the first CPU (`qom-get`).
    case cpuX2APIC = "cpu_x2apic"
    case cpuPVEOI = "cpu_pv_eoi"
    case cpuKVMClock = "cpu_kvmclock"
    case cpuInvariantTSC = "cpu_invtsc"
    case cpuLongMode = "cpu_long_mode"
    case cpuPollControl = "cpu_poll_control"
    case cpuNestedVirtualization = "cpu_nested"
    case cpuHyperVTime = "cpu_hv_time"
    case cpuHyperVAPIC = "cpu_hv_vapic"
    /// Text: `on`, `split` or `off`, from `kernel-irqchip=`; `on` where nothing is said under KVM.
    case irqChip = "kernel_irqchip"
    /// Flag: started by libvirt (`-name guest=` and a monitor called `charmonitor`).
    case isLibvirt = "is_libvirt"
    /// Text: `-name`'s libvirt domain or the VM's name, for commands.
    case domain
    /// Flag: `-snapshot`.
    case isSnapshot = "is_snapshot"
    /// Number, seconds: since the process began, since the last reset seen (or the beginning), and
    /// since its status (`query-status`) changed last.
    case uptime = "uptime_s"
    case sinceReset = "since_reset_s"
    case inStatus = "in_status_s"
    /// Number, bytes: guest RAM in huge pages, of any kind, as a share of what is resident, percent
    /// (smaps_rollup, `x-query-ramblock`).
    case hugePageShare = "huge_page_percent"
    /// Number, bytes: page size of the RAM's backend (`x-query-ramblock`).
    case memoryPage = "memory_page_bytes"
    /// Number, bytes: Rss of /proc/PID/smaps_rollup, and what it has of hugetlbfs, which Rss leaves
    /// out.
    case residentMemory = "resident_bytes"
    /// Flags: `query-memdev` share, merge, prealloc of all backends.
    case memoryIsShared = "memory_is_shared"
    case memoryMerges = "memory_merges"
    /// Number, bytes: `query-balloon`.
    case balloon = "balloon_bytes"
    /// Number: pages per second swapped by the guest; percent of its memory available (balloon
    /// `guest-stats`).
    case guestSwapRate = "guest_swap_pages_per_s"
    case guestMemoryAvailable = "guest_memory_available_percent"
    /// Number, bytes: VmSwap, VmLck of /proc/PID/status.
    case swappedMemory = "swapped_bytes"
    case lockedMemory = "locked_bytes"
    /// Number: major faults per second of all threads (/proc/PID/stat).
    case majorFaults = "major_faults_per_s"
    /// Number: /proc/PID/limits, bytes (-1: unlimited), and descriptors in use.
    case lockedMemoryLimit = "locked_limit_bytes"
    case openFiles = "open_files"
    case openFileLimit = "open_file_limit"
    /// Number: 32 or 64, class of the ELF file /proc/PID/exe.
    case elfClass = "elf_class"
    /// Number: node of most of its RAM, and its share, percent (/proc/PID/numa_maps).
    case memoryNode = "memory_node"
    case memoryNodeShare = "memory_node_percent"
    /// Texts: Cpus_allowed_list of each vCPU.
    case vcpuCPUs = "vcpu_cpus"
    /// Number: Linux AIO contexts of the process (`/[aio]` in maps), io_uring instances.
    case aioContexts = "aio_contexts"
    case ioUrings = "io_urings"
    /// Number: entries of its largest submission ring; flag: completions overflowed
    /// (/proc/PID/fdinfo of `[io_uring]`). Number: percent of one CPU of all `iou-wrk-` threads,
    /// and how many.
    case ioUringEntries = "io_uring_entries"
    case ioUringOverflow = "io_uring_overflow"
    case ioUringWorkerCPU = "io_uring_worker_cpu_percent"
    case ioUringWorkers = "io_uring_workers"
    /// Number: threads of the thread pool (`worker`), percent of them that wait (state D, or S in a
    /// system call other than futex, in which those without work wait), and `thread-pool-max` of
    /// the main loop.
    case workers
    case workersBlocked = "workers_blocked_percent"
    case workerLimit = "worker_limit"
    /// Number, percent of the time the cgroup was throttled (cpu.stat throttled_usec), and which
    /// limit it has, text (cpu.max; `max` without one). Of the VM the most throttled of all its
    /// groups and those above, and likewise of each IOThread.
    case cpuThrottled = "cpu_throttled_percent"
    case cpuQuota = "cpu_quota"
    /// Text: `query-migrate` status. Number: cpu-throttle-percentage; seconds since `remaining` was
    /// lower than ever.
    case migration
    case migrationThrottle = "migration_throttle_percent"
    case migrationStalled = "migration_stalled_s"
    /// Texts: ids of all IOThreads (`query-iothreads`), used or not.
    case ioThreads = "io_threads"
    /// Texts: vfio-pci devices of storage classes (`query-pci`).
    case passThrough = "pass_through"
    /// Flag: `iothread-vq-mapping` exists (`qom-list` of a virtio-blk device).
    case hasQueueMapping = "has_vq_mapping"
    /// Flag: all threads have the same name (no `debug-threads=on`).
    case threadsAreAnonymous = "threads_are_anonymous"
    /// Number, percent: vCPU time waiting for the big lock by `info sync-profile`, only where it
    /// was switched on with --set-sync-profile.
    case lockProfile = "bql_wait_percent"
    /// Number, percent of the time the groups of the main loop, its own and those above, were
    /// throttled: `cpuThrottled` of the main thread alone.
    case mainLoopThrottled = "main_loop_throttled_percent"

    // MARK: An IOThread

    /// Number, nanoseconds: `query-iothreads` poll-max-ns. Number: aio-max-batch, thread-pool-max.
    case pollMax = "poll_max_ns"
    case aioMaxBatch = "aio_max_batch"
    case threadPoolMax = "thread_pool_max"
    /// Text: Cpus_allowed_list.
    case allowedCPUs = "allowed_cpus"
    /// Number, percent of the looks at it that found it in state D (/proc/PID/task/TID/stat), and
    /// text: where it was, most often (wchan). Of the VM: of its main loop.
    case blockedShare = "blocked_percent"
    case blockedIn = "blocked_in"
    /// Number, microseconds: mean time in io_submit.
    case submitTime = "submit_us"

    // MARK: A LUN

    /// Flag: `query-block` ro.
    case isReadOnly = "is_read_only"
    /// Flag: the lowest node goes past the page cache: `cache.direct` of the leaf, and O_DIRECT of
    /// the descriptor where that can be seen.
    case isDirect = "is_direct"
    /// Flags: `query-block` cache.writeback, cache.no-flush.
    case isWriteback = "is_writeback"
    case ignoresFlushes = "ignores_flushes"
    /// Number: `query-block` backing_file_depth.
    case backingDepth = "backing_depth"
    /// Number, bytes: image virtual-size, actual-size, cluster-size.
    case virtualSize = "virtual_bytes"
    case actualSize = "actual_bytes"
    case clusterSize = "cluster_bytes"
    /// Text: format-specific compat. Flags: lazy-refcounts, extended-l2, corrupt, dirty-flag.
    case qcow2Compat = "qcow2_compat"
    case lazyRefcounts = "lazy_refcounts"
    case extendedL2 = "extended_l2"
    case isCorrupt = "is_corrupt"
    /// Text: `luks`, `aes`: encrypt.format; absent where it is not encrypted: `none`.
    case encryption
    /// Number: image snapshots inside the image.
    case internalSnapshots = "internal_snapshots"
    /// Flag: a copy-on-read node is in its graph.
    case copiesOnRead = "copies_on_read"
    /// Text: `off`, `on`, `unmap`: detect_zeroes.
    case detectZeroes = "detect_zeroes"
    /// Text: `ok`, `failed`, `nospace`: io-status.
    case ioStatus = "io_status"
    /// Number since QEMU began: failed_*_operations and invalid_*_operations of `query-blockstats`;
    /// failed discards (unmap, driver-specific discard-nb-failed), and discards that succeeded
    /// below.
    case failedOperations = "failed_operations"
    case invalidOperations = "invalid_operations"
    case failedDiscards = "failed_discards"
    case passedDiscards = "passed_discards"
    /// Text: type, status (`running`, `ready`, …) of its block job. Number: speed limit, bytes per
    /// second, 0 for none; seconds in status `ready`.
    case job
    case jobStatus = "job_status"
    case jobSpeed = "job_speed_bytes_per_s"
    case jobReadyFor = "job_ready_s"
    /// Flags: the command line says how it is cached, and which I/O model it has.
    case cacheIsGiven = "cache_is_given"
    case aioIsGiven = "aio_is_given"
    /// Text: `cache=` of the command line's own words, as `writeback`.
    case cacheGiven = "cache_given"
    /// Number, bytes: `l2-cache-size` or `cache-size`; the default for its version and need where
    /// nothing is given.
    case l2Cache = "l2_cache_bytes"
    /// Flag: `x-data-plane=on`.
    case xDataPlane = "x_data_plane"
    /// Text: `discard=` of the command line: `unmap`, `ignore`.
    case discardOption = "discard_option"
    /// Flags: properties of the device (`qom-get`).
    case ioeventfd
    case packed
    case eventIndex = "event_idx"
    case indirectDescriptors = "indirect_desc"
    case requestMerging = "request_merging"
    case scsiPassthrough = "scsi_passthrough"
    case configWCE = "config_wce"
    case segMaxAdjust = "seg_max_adjust"
    case discard
    case multifunction
    case hotpluggable
    case disableModern = "disable_modern"
    /// Text: `auto`, `on`, `off`: disable-legacy, write-cache.
    case disableLegacy = "disable_legacy"
    case writeCacheProperty = "write_cache_property"
    /// Number: MSI-X vectors, 0 for none.
    case vectors
    /// Text: rerror, werror: `auto`, `report`, `ignore`, `stop`, `enospc`.
    case rerror
    case werror
    /// Number, bytes: logical_block_size, physical_block_size of the device.
    case guestLogicalBlock = "guest_logical_block_bytes"
    case guestPhysicalBlock = "guest_physical_block_bytes"
    /// Text: what a SCSI or IDE disk hangs on: `virtio-scsi-pci`, `lsi53c895a`, `piix3-ide`; the
    /// adapter's id; number: its queues.
    case adapter
    case adapterID = "adapter_id"
    case adapterQueues = "adapter_queues"
    /// Texts: features that the device offers (`x-query-virtio-status` host-features).
    case hostFeatures = "host_features"
    /// Number of IOThreads that serve its queues, with a mapping.
    case mappedThreads = "mapped_threads"
    /// Flag: its data lie on a block device, and not in a file.
    case isDevice = "is_device"
    /// Text: file system its file lies on; the mount's options; what is mounted.
    case fileSystem = "file_system"
    case mountOptions = "mount_options"
    case mountSource = "mount_source"
    /// Number, bytes: size of the file, what it takes (st_blocks), and how fast that grows.
    case fileSize = "file_bytes"
    case fileAllocated = "file_allocated_bytes"
    case fileGrowth = "file_growth_bytes_per_s"
    /// Number, bytes: room of its file system, and what is left of it (statvfs). Number, bytes: all
    /// that the sparse files of VMs on it could still take.
    case fileSystemSize = "file_system_bytes"
    case fileSystemFree = "file_system_free_bytes"
    case fileSystemPromised = "file_system_promised_bytes"
    /// Flag: FS_NOCOW_FL. Number: extents (FIEMAP).
    case isNoCow = "is_no_cow"
    case extents
    /// Number: first sector of the partition that it lies on, as 512-byte sectors; 0 on a whole
    /// disk.
    case partitionStart = "partition_start_sector"
    /// Number: of its NFS mount, over the time since the last reading: bytes of a READ and WRITE,
    /// operations per second, milliseconds in the queue and on the wire (/proc/PID/mountstats).
    case nfsReadSize = "nfs_read_bytes"
    case nfsWriteSize = "nfs_write_bytes"
    case nfsRate = "nfs_operations_per_s"
    case nfsQueueTime = "nfs_queue_ms"
    case nfsServerTime = "nfs_server_ms"
    /// Text: io.max line of its disk, `none` without a limit. Number, percent: the nearest of its
    /// limits that is used.
    case ioLimit = "io_limit"
    case ioLimitUse = "io_limit_percent"

    // MARK: The guest

    /// Text: `guest-get-osinfo` id, kernel-release, machine.
    case guestSystem = "guest_system"
    case guestKernel = "guest_kernel"
    case guestMachine = "guest_machine"
    /// Text: /sys/devices/system/clocksource/clocksource0/current_clocksource. Texts:
    /// available_clocksource.
    case guestClocksource = "guest_clocksource"
    case guestClocksources = "guest_clocksources"
    /// Text: /proc/cmdline.
    case guestBootLine = "guest_boot_line"
    /// Flag: /proc/sys/kernel/task_delayacct.
    case guestDelayAccounting = "guest_delay_accounting"
    /// Flag: the kernel uses x2APIC (/proc/cpuinfo flag, boot line).
    case guestX2APIC = "guest_x2apic"
    /// Text: /sys/devices/system/cpu/cpuidle/current_governor.
    case guestIdleGovernor = "guest_idle_governor"
    /// Text: `guest-fsfreeze-status`. Number, seconds: for how long `frozen` was seen.
    case fileSystemFreeze = "fs_freeze"
    case frozenFor = "frozen_s"
    /// Texts: `TYPE MOUNTPOINT OPTIONS` of file systems on disks (/proc/mounts), without the
    /// options where only `guest-get-fsinfo` tells; a blank in a mount point is `\040`.
    case guestMounts = "guest_mounts"
    /// Flag: /sys/module/virtio_blk/parameters/use_bio or the boot line has it.
    case guestUseBio = "guest_use_bio"
    /// Number: interrupts of virtio disks per second, and the share of the busiest vCPU, percent.
    case guestInterrupts = "guest_interrupts_per_s"
    case guestInterruptShare = "guest_interrupt_percent"

    // MARK: A disk as the guest has it

    /// Text: queue/scheduler in use. Number: hardware queues, requests per second.
    case guestScheduler = "guest_scheduler"
    case guestQueues = "guest_queues"
    case guestIOPS = "guest_iops"
    /// Flags: queue/add_random, queue/rotational.
    case guestAddRandom = "guest_add_random"
    case guestRotational = "guest_rotational"
    /// Texts: `vda1 2048` for each partition, first sector.
    case guestPartitions = "guest_partitions"

    // MARK: vblktop

    /// Number, percent of a second that QEMU's main loop spent on our questions.
    case questionTime = "question_time_percent"
    /// Number, seconds: how long the oldest question has not been answered; the greeting, likewise.
    case unanswered = "unanswered_s"
    case greetingMissing = "greeting_missing_s"
    /// Texts: what cannot be looked at here, and why: `perf: …`.
    case missingRights = "missing_rights"
    /// Number: running through enabled time of hardware counters, percent.
    case counterShare = "counter_percent"
    /// Number: requests per second that the disks below reach without a VM, by a baseline that was
    /// measured.
    case baseline = "baseline_iops"
}
