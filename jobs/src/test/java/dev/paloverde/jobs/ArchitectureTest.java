package dev.paloverde.jobs;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.paloverde.gpu.PaloverdeException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The arrows of the house: jobs to pipelines to udfs to gpu, and never back. */
class ArchitectureTest {
    private static JavaClasses house;

    @BeforeAll
    static void read() {
        house = new ClassFileImporter()
                .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                .importPackages("dev.paloverde");
    }

    @Test
    void everyModuleIsLookedAt() {
        for (String module : new String[] {"gpu", "udfs", "pipelines", "jobs", "data"}) {
            assertThat(house.stream().filter(type -> type.getPackageName().startsWith("dev.paloverde." + module)))
                    .as("classes of %s", module)
                    .hasSizeGreaterThan(3);
        }
    }

    @Test
    void arrowsRunOneWay() {
        layeredArchitecture()
                .consideringOnlyDependenciesInAnyPackage("dev.paloverde..")
                .layer("jobs")
                .definedBy("dev.paloverde.jobs..")
                .layer("pipelines")
                .definedBy("dev.paloverde.pipelines..")
                .layer("udfs")
                .definedBy("dev.paloverde.udfs..")
                .layer("gpu")
                .definedBy("dev.paloverde.gpu..")
                .layer("data")
                .definedBy("dev.paloverde.data..")
                .whereLayer("jobs")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("pipelines")
                .mayOnlyBeAccessedByLayers("jobs")
                .whereLayer("udfs")
                .mayOnlyBeAccessedByLayers("jobs", "pipelines")
                .whereLayer("data")
                .mayOnlyBeAccessedByLayers("jobs")
                .check(house);
    }

    @Test
    void theEngineKnowsNothingOfSparkHadoopOrArrow() {
        noClasses()
                .that()
                .resideInAPackage("dev.paloverde.gpu..")
                .should()
                .dependOnClassesThat(resideInAnyPackage(
                        "org.apache.spark..",
                        "org.apache.hadoop..",
                        "org.apache.arrow..",
                        "org.apache.parquet..",
                        "scala.."))
                .check(house);
    }

    @Test
    void theRoomOfTheGpuStandsBelowAllOthers() {
        noClasses()
                .that()
                .resideInAPackage("dev.paloverde.gpu.device..")
                .should()
                .dependOnClassesThat(resideInAnyPackage(
                        "dev.paloverde.gpu.kernels..", "dev.paloverde.gpu.model..", "dev.paloverde.gpu.decode.."))
                .check(house);
        noClasses()
                .that()
                .resideInAPackage("dev.paloverde..")
                .and()
                .resideOutsideOfPackage("dev.paloverde.gpu.device..")
                .should()
                .dependOnClassesThat(resideInAnyPackage("jcuda.."))
                .check(house);
    }

    @Test
    void pipelinesReadAndWriteNothingThemselves() {
        noClasses()
                .that()
                .resideInAPackage("dev.paloverde.pipelines..")
                .should()
                .dependOnClassesThat(resideInAnyPackage("org.apache.hadoop..", "java.nio.file.."))
                .orShould()
                .dependOnClassesThat()
                .haveNameMatching("org\\.apache\\.spark\\.sql\\.DataFrame(Reader|Writer.*)")
                .check(house);
    }

    @Test
    void onlyJobsTalkToThePerson() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.paloverde.gpu..", "dev.paloverde.udfs..", "dev.paloverde.pipelines..")
                .should()
                .dependOnClassesThat(resideInAnyPackage("picocli..", "org.knowm.."))
                .check(house);
    }

    @Test
    void roomsOfAModuleHaveNoCycles() {
        for (String module : new String[] {"gpu", "udfs", "pipelines", "jobs", "data"}) {
            slices().matching("dev.paloverde." + module + ".(*)..")
                    .should()
                    .beFreeOfCycles()
                    .allowEmptyShould(true)
                    .check(house);
        }
    }

    @Test
    void thereIsOneExceptionOfOurOwnThatOthersSee() {
        classes()
                .that()
                .areAssignableTo(RuntimeException.class)
                .and()
                .resideInAPackage("dev.paloverde..")
                .and()
                .arePublic()
                .should()
                .be(PaloverdeException.class)
                .check(house);
    }
}
