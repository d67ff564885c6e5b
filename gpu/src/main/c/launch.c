// Launches a kernel with attributes, which JCuda cannot: it does not bind cuLaunchKernelEx. What an attribute gives:
// programmatic dependent launch (the next kernel's blocks start while the last ones of this kernel still run) and the
// size of a cluster. And shares out the multiprocessors of a GPU, which JCuda does not bind either: green contexts.
//
// No CUDA header and no function of libc is used. libcuda.so.1 is a plain dependency of this library, so it is the one
// that JCuda has loaded; its functions are weak, so that an older driver leaves them null and Java learns of it.
//
// Structures and numbers: the CUDA Driver API manual, "Data types used by CUDA driver" (CUlaunchConfig,
// CUlaunchAttribute, CUlaunchAttributeID) and "Execution Control" (cuLaunchKernelEx, CUDA 11.8; cuFuncGetParamInfo,
// CUDA 12.4), "Green Contexts" (CUdevResource; CUDA 12.4, streams 12.5). NativeLibrariesTest holds them against cuda.h where that is installed.
#include <jni.h>
#include <stddef.h>

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    NOT_SUPPORTED = 801,
    MULTIPROCESSORS = 1,
    GREEN_DEFAULT_STREAM = 1,
    STREAM_NON_BLOCKING = 1,
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

typedef struct {
    int type;
    unsigned char padding[92];
    union {
        unsigned int multiprocessors;
        unsigned char bytes[48];
    } value;
} Resource;

extern int cuDeviceGet(int *device, int ordinal) __attribute__((weak));
extern int cuDeviceGetDevResource(int device, Resource *, int type) __attribute__((weak));
extern int cuDevSmResourceSplitByCount(Resource *groups, unsigned int *count, const Resource *from, Resource *rest,
                                       unsigned int flags, unsigned int least) __attribute__((weak));
extern int cuDevResourceGenerateDesc(void **description, Resource *, unsigned int count) __attribute__((weak));
extern int cuGreenCtxCreate(void **context, void *description, int device, unsigned int flags) __attribute__((weak));
extern int cuGreenCtxStreamCreate(void **stream, void *context, unsigned int flags, int priority)
    __attribute__((weak));

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

static int green(Resource *resource, int device, void **context) {
    void *description;
    const int result = cuDevResourceGenerateDesc(&description, resource, 1);
    return result != SUCCESS ? result : cuGreenCtxCreate(context, description, device, GREEN_DEFAULT_STREAM);
}

// Two green contexts: of at least so many multiprocessors, and of the rest. Out: {context, multiprocessors} of each.
METHOD(jint, share)(JNIEnv *environment, jclass class, jint ordinal, jint multiprocessors, jlongArray out) {
    (void)class;
    if (cuGreenCtxStreamCreate == NULL) return NOT_SUPPORTED;
    int device;
    Resource parts[3]; // the first share, the rest, all
    unsigned int count = 1;
    int result = cuDeviceGet(&device, ordinal);
    if (result == SUCCESS) result = cuDeviceGetDevResource(device, &parts[2], MULTIPROCESSORS);
    if (result == SUCCESS)
        result = cuDevSmResourceSplitByCount(&parts[0], &count, &parts[2], &parts[1], 0, (unsigned int)multiprocessors);
    if (result == SUCCESS && count < 1) result = INVALID_VALUE;
    for (int i = 0; i < 2 && result == SUCCESS; i++) {
        void *context;
        result = green(&parts[i], device, &context);
        const jlong share[2] = {(jlong)context, parts[i].value.multiprocessors};
        if (result == SUCCESS) (*environment)->SetLongArrayRegion(environment, out, 2 * i, 2, share);
    }
    return result;
}

// A stream of a green context, into JCuda's object for it.
METHOD(jint, shareStream)(JNIEnv *environment, jclass class, jlong context, jint priority, jobject handle) {
    (void)class;
    void *stream;
    const int result = cuGreenCtxStreamCreate(&stream, (void *)context, STREAM_NON_BLOCKING, priority);
    if (result != SUCCESS) return result;
    const jclass holder = (*environment)->FindClass(environment, "jcuda/NativePointerObject");
    if (holder == NULL) return INVALID_VALUE;
    const jfieldID pointer = (*environment)->GetFieldID(environment, holder, "nativePointer", "J");
    if (pointer == NULL) return INVALID_VALUE;
    (*environment)->SetLongField(environment, handle, pointer, (jlong)stream);
    return SUCCESS;
}
