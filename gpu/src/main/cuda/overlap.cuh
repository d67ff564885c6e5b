// Programmatic dependent launch: a kernel may start while the one before it runs, as long as it waits before it reads what
// that one wrote. Both calls do nothing in a kernel that was launched plainly.
#pragma once

namespace overlap {

// Lets the next kernel of the stream start; what it reads before its own wait must not come from this one.
__device__ __forceinline__ void next_may_start() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

// Waits until the kernel before is over and its writes are visible.
__device__ __forceinline__ void wait_for_previous() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

}  // namespace overlap
