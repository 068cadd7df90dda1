# The command line of the founding measurements, three of its 42 LUNs.
qemu-kvm -M pc -mem-path /hugepages -m 7168 -cpu qemu64,+x2apic -smp 40 -name guest1 \
  -uuid 1c047c62-c21a-1530-33bf-185bc15261d8 -boot c \
  -drive if=none,id=root,file=/images/if1n1_sles11.img -device virtio-blk-pci,drive=root \
  -drive if=none,id=drive-virtio-disk1_0,file=/dev/sdc,cache=none,aio=native \
  -device virtio-blk-pci,scsi=off,config-wce=off,x-data-plane=on,addr=5.0,multifunction=on,drive=drive-virtio-disk1_0,id=virtio-disk1_0 \
  -drive if=none,id=drive-virtio-disk1_1,file=/dev/sdd,cache=none,aio=native \
  -device virtio-blk-pci,scsi=off,config-wce=off,x-data-plane=on,addr=5.1,multifunction=on,drive=drive-virtio-disk1_1,id=virtio-disk1_1 \
  -drive if=none,id=drive-virtio-disk2_0,file=/dev/sdg,cache=none,aio=native \
  -device virtio-blk-pci,scsi=off,config-wce=off,x-data-plane=on,addr=6.0,multifunction=on,drive=drive-virtio-disk2_0,id=virtio-disk2_0
