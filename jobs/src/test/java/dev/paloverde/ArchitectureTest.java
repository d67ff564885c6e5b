package dev.paloverde;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Arrows run jobs to pipelines to udfs to gpu, and never back. */
class ArchitectureTest {
    private static JavaClasses house;

    @BeforeAll
    static void look() {
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
                .consideringOnlyDependenciesInLayers()
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
                .mayOnlyBeAccessedByLayers("pipelines", "jobs")
                .whereLayer("gpu")
                .mayOnlyBeAccessedByLayers("udfs", "pipelines", "jobs")
                .whereLayer("data")
                .mayOnlyBeAccessedByLayers("jobs")
                .check(house);
    }

    @Test
    void engineKnowsNothingOfSpark() {
        noClasses()
                .that()
                .resideInAPackage("dev.paloverde.gpu..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.spark..", "org.apache.hadoop..", "org.apache.arrow..", "scala..")
                .check(house);
    }

    @Test
    void onlyJobsTalkToThePerson() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.paloverde.gpu..", "dev.paloverde.udfs..", "dev.paloverde.pipelines..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("picocli..", "org.knowm..")
                .check(house);
    }

    @Test
    void roomsOfTheEngineDoNotGoInCircles() {
        slices().matching("dev.paloverde.gpu.(*)..").should().beFreeOfCycles().check(house);
    }

    @Test
    void roomsOfTheFunctionsDoNotGoInCircles() {
        slices().matching("dev.paloverde.udfs.(*)..").should().beFreeOfCycles().check(house);
    }
}
