// Launches a kernel with attributes, which JCuda cannot: it does not bind cuLaunchKernelEx. What an attribute gives:
// programmatic dependent launch (the next kernel's blocks start while the last ones of this kernel still run) and the
// size of a cluster.
//
// No CUDA header and no function of libc is used. libcuda.so.1 is a plain dependency of this library, so it is the one
// that JCuda has loaded; its two functions are weak, so that an older driver leaves them null and Java learns of it.
//
// Structures and numbers: the CUDA Driver API manual, "Data types used by CUDA driver" (CUlaunchConfig,
// CUlaunchAttribute, CUlaunchAttributeID) and "Execution Control" (cuLaunchKernelEx, CUDA 11.8; cuFuncGetParamInfo,
// CUDA 12.4). NativeLibrariesTest holds them against cuda.h where that is installed.
#include <jni.h>
#include <stddef.h>

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    NOT_SUPPORTED = 801,
    CLUSTER_DIMENSION = 4,
    PROGRAMMATIC_STREAM_SERIALIZATION = 6,
};

typedef struct {
    int id;
    int padding;
    union {
        char bytes[64];
        int allowed;
        unsigned int cluster[3];
    } value;
} LaunchAttribute;

typedef struct {
    unsigned int grid[3];
    unsigned int block[3];
    unsigned int shared;
    void *stream;
    LaunchAttribute *attributes;
    unsigned int attribute_count;
} LaunchConfiguration;

extern int cuLaunchKernelEx(const LaunchConfiguration *, void *function, void **parameters, void **extra)
    __attribute__((weak));
extern int cuFuncGetParamInfo(void *function, size_t index, size_t *offset, size_t *size) __attribute__((weak));

#define METHOD(type, name) JNIEXPORT type JNICALL Java_dev_paloverde_gpu_device_NativeLauncher_##name

METHOD(jboolean, supported)(JNIEnv *environment, jclass class) {
    (void)environment, (void)class;
    return cuLaunchKernelEx != NULL;
}

METHOD(jlong, address)(JNIEnv *environment, jclass class, jobject buffer) {
    (void)class;
    return (jlong)(*environment)->GetDirectBufferAddress(environment, buffer);
}

// Bytes of the one parameter of a kernel, 0 for none; -1 where the driver does not tell or there are more.
METHOD(jint, parameterBytes)(JNIEnv *environment, jclass class, jlong function) {
    (void)environment, (void)class;
    size_t offset, size;
    if (cuFuncGetParamInfo == NULL || cuFuncGetParamInfo((void *)function, 1, &offset, &size) == SUCCESS) return -1;
    const int result = cuFuncGetParamInfo((void *)function, 0, &offset, &size);
    return result == SUCCESS ? (jint)size : result == INVALID_VALUE ? 0 : -1;
}

METHOD(jint, launchKernel)(JNIEnv *environment, jclass class, jlong function, jint grid_x, jint grid_y, jint grid_z,
                           jint block, jint shared, jlong stream, jlong argument, jint cluster, jboolean overlapping) {
    (void)environment, (void)class;
    if (cuLaunchKernelEx == NULL) return NOT_SUPPORTED;
    LaunchAttribute attributes[2] = {{0}};
    LaunchConfiguration configuration = {
        .grid = {(unsigned int)grid_x, (unsigned int)grid_y, (unsigned int)grid_z},
        .block = {(unsigned int)block, 1, 1},
        .shared = (unsigned int)shared,
        .stream = (void *)stream,
        .attributes = attributes,
    };
    if (overlapping) {
        LaunchAttribute *attribute = &attributes[configuration.attribute_count++];
        attribute->id = PROGRAMMATIC_STREAM_SERIALIZATION;
        attribute->value.allowed = 1;
    }
    if (cluster > 1) {
        LaunchAttribute *attribute = &attributes[configuration.attribute_count++];
        attribute->id = CLUSTER_DIMENSION;
        attribute->value.cluster[0] = (unsigned int)cluster;
        attribute->value.cluster[1] = attribute->value.cluster[2] = 1;
    }
    void *parameters[1] = {(void *)argument};
    return cuLaunchKernelEx(&configuration, (void *)function, parameters, NULL);
}
