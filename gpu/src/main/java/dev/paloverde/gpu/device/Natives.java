package dev.paloverde.gpu.device;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/**
 * Loads the two native libraries from the jar: each is unpacked into a directory that this call makes for itself, loaded,
 * and taken away again, so that processes on one host never see one another's files, and none stay behind.
 */
final class Natives {
    /** Where our own library lies in the jar. */
    static final String LAUNCHER = "linux-x86_64/libpaloverde_launch.so";

    private static final String TEMPORARY = "java.io.tmpdir";

    private Natives() {}

    /**
     * Loads JCuda's binding of the driver. JCuda would unpack it to a fixed name in the directory for temporary files, and
     * take what lies there already for whole: a second process that comes while the first one writes loads half a library.
     * So the whole file is laid ready where JCuda looks, and where that is, JCuda asks the system property, which is set
     * for as long as JCuda looks. A thread that reads the property in these milliseconds gets a directory that is there
     * and stays, should the thread put something into it.
     *
     * @throws IOException if the library cannot be unpacked
     * @throws UnsatisfiedLinkError if the library, or libcuda.so.1 below it, cannot be loaded
     */
    static void loadJCuda() throws IOException {
        String file =
                LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get()));
        unpack(LibUtils.class, "/lib/" + file, library -> {
            String before = System.getProperty(TEMPORARY);
            System.setProperty(TEMPORARY, library.getParent().toString());
            try {
                Class.forName("jcuda.driver.JCudaDriver", true, LibUtils.class.getClassLoader());
            } catch (ClassNotFoundException e) {
                throw new LinkageError("the class path has a part of JCuda only", e);
            } finally {
                System.setProperty(TEMPORARY, before);
            }
        });
    }

    /**
     * Loads our own library, for {@link NativeLauncher}; JCuda's is loaded before.
     *
     * @throws IOException if the library cannot be unpacked
     * @throws UnsatisfiedLinkError if it cannot be loaded
     */
    static void loadLauncher() throws IOException {
        unpack(Natives.class, LAUNCHER, library -> System.load(library.toString()));
    }

    private interface Loading {
        void load(Path library);
    }

    private static void unpack(Class<?> owner, String resource, Loading loading) throws IOException {
        // of mode 0700: nobody else can put another library there
        Path directory = Files.createTempDirectory("paloverde-gpu-").toAbsolutePath();
        Path library = directory.resolve(resource.substring(resource.lastIndexOf('/') + 1));
        try {
            try (InputStream in = owner.getResourceAsStream(resource)) {
                if (in == null) {
                    throw new NoSuchFileException(resource, null, "it is not on the class path");
                }
                Files.copy(in, library);
            }
            loading.load(library);
        } finally {
            // what is mapped stays mapped
            Files.deleteIfExists(library);
            try {
                Files.deleteIfExists(directory);
            } catch (DirectoryNotEmptyException e) {
                // another thread's file, see above
            }
        }
    }
}
