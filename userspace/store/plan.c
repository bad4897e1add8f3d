// SPDX-License-Identifier: GPL-2.0-or-later
/* Images to import; see plan.h. */
#include "store/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* An index may name indexes; that they do so in circles would take forged digests. */
enum { DEPTH_MAX = 4, IMAGES_MAX = 1000, LAYERS_MAX = 4096 };

const char *plan_architecture(void)
{
	static const struct {
		const char *machine, *architecture;
	} words[] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "386" },
		{ "armv7l", "arm" }, { "ppc64le", "ppc64le" }, { "s390x", "s390x" },
		{ "riscv64", "riscv64" }, { "loongarch64", "loong64" },
	};
	static struct utsname name;

	uname(&name);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(name.machine, words[i].machine))
			return words[i].architecture;
	}
	return name.machine;
}

int plan_chain(char id[ID_SIZE], const char *parent, const char *diff_id,
	       struct fault *fault)
{
	char both[2 * DIGEST_TEXT_SIZE], text[DIGEST_TEXT_SIZE];

	if (!*parent) {
		snprintf(id, ID_SIZE, "%s", diff_id + 7);
		return 0;
	}
	snprintf(both, sizeof(both), "sha256:%s %s", parent, diff_id);
	if (digest_bytes(both, strlen(both), text, fault) < 0)
		return -1;
	snprintf(id, ID_SIZE, "%s", text + 7);
	return 0;
}

static void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->layer_count; i++)
		free(plan->layers[i].blob);
	free(plan->layers);
	free(plan->config);
	json_decref(plan->parsed);
	json_decref(plan->names);
}

void plans_free(struct plans *plans)
{
	for (size_t i = 0; i < plans->count; i++)
		plan_free(&plans->plans[i]);
	free(plans->plans);
}

static struct plan *add_plan(struct plans *plans, struct fault *fault)
{
	struct plan *grown;

	if (plans->count >= IMAGES_MAX) {
		fault_set(fault, EXIT_ARCHIVE, "there are more than %d images in it", IMAGES_MAX);
		return NULL;
	}
	grown = reallocarray(plans->plans, plans->count + 1, sizeof(*grown));
	if (grown) {
		plans->plans = grown;
		grown += plans->count;
		memset(grown, 0, sizeof(*grown));
		grown->names = json_array();
	}
	if (!grown || !grown->names) {
		fault_no_memory(fault);
		return NULL;
	}
	plans->count++;
	return grown;
}

static int check_config(struct plan *plan, struct fault *fault)
{
	const json_t *diff_ids = json_object_get(json_object_get(plan->parsed, "rootfs"),
						 "diff_ids");

	if (!json_is_object(plan->parsed) || !json_is_array(diff_ids))
		return fault_set(fault, EXIT_ARCHIVE,
				 "the image's configuration has no list rootfs.diff_ids");
	if (!json_array_size(diff_ids) || json_array_size(diff_ids) > LAYERS_MAX)
		return fault_set(fault, EXIT_ARCHIVE, "the image has %zu layers; 1 to %d can be",
				 json_array_size(diff_ids), LAYERS_MAX);
	plan->layer_count = json_array_size(diff_ids);
	plan->layers = calloc(plan->layer_count, sizeof(*plan->layers));
	if (!plan->layers)
		return fault_no_memory(fault);
	for (size_t i = 0; i < plan->layer_count; i++) {
		const char *diff_id = json_string_value(json_array_get(diff_ids, i));

		if (!diff_id || !digest_is_valid(diff_id))
			return fault_set(fault, EXIT_ARCHIVE,
					 "the diffID of the image's layer %zu is not a SHA-256 digest",
					 i + 1);
		strcpy(plan->layers[i].diff_id, diff_id);
		if (plan_chain(plan->layers[i].id, i ? plan->layers[i - 1].id : "", diff_id,
			       fault) < 0)
			return -1;
	}
	return 0;
}

/* @digest "": the manifest names the configuration without one. */
static int read_config(struct plan *plan, const struct blobs *blobs, const char *blob,
		       const char *digest, struct fault *fault)
{
	AUTO_FD fd = *digest ? blobs_open_digest(blobs, blob, digest, fault) :
		blobs_open(blobs, blob, fault);
	char found[DIGEST_TEXT_SIZE];

	if (fd < 0)
		return -1;
	plan->config = jsonfile_slurp(fd, &plan->config_length, fault);
	if (!plan->config ||
	    digest_bytes(plan->config, plan->config_length, found, fault) < 0)
		return -1;
	snprintf(plan->id, sizeof(plan->id), "%s", found + 7);
	plan->parsed = jsonfile_parse(plan->config, plan->config_length, fault);
	if (!plan->parsed || check_config(plan, fault) < 0)
		return fault_wrap(fault, "\"%s\" of the image", blob);
	return 0;
}

static int check_count(const struct plan *plan, size_t layers, struct fault *fault)
{
	if (layers == plan->layer_count)
		return 0;
	return fault_set(fault, EXIT_ARCHIVE,
			 "the image's manifest has %zu layers and its configuration %zu",
			 layers, plan->layer_count);
}

static int add_name(struct plan *plan, const char *name, struct fault *fault)
{
	json_t *text = json_string(name);

	return text && !json_array_append_new(plan->names, text) ? 0 : fault_no_memory(fault);
}

/* "blobs/sha256/HEX" for a descriptor of an OCI layout. To be freed. */
static char *descriptor_blob(const json_t *descriptor, const char **digest,
			     struct fault *fault)
{
	char *blob;

	*digest = json_text(descriptor, "digest");
	if (!digest_is_valid(*digest)) {
		fault_set(fault, EXIT_ARCHIVE,
			  "the image names a blob by a digest that is not SHA-256");
		return NULL;
	}
	if (asprintf(&blob, "blobs/sha256/%s", *digest + 7) < 0) {
		fault_no_memory(fault);
		return NULL;
	}
	return blob;
}

static json_t *read_descriptor(const struct blobs *blobs, const json_t *descriptor,
			       struct fault *fault)
{
	const char *digest;
	AUTO_FREE char *blob = descriptor_blob(descriptor, &digest, fault);
	AUTO_FD fd = blob ? blobs_open_digest(blobs, blob, digest, fault) : -1;
	json_t *json = fd < 0 ? NULL : jsonfile_read_fd(fd, fault);

	if (fd >= 0 && !json)
		fault_wrap(fault, "\"%s\" of the image", blob);
	return json;
}

static int read_oci_manifest(struct plan *plan, const struct blobs *blobs,
			     const json_t *manifest, struct fault *fault)
{
	const json_t *layers = json_object_get(manifest, "layers");
	const char *digest;
	AUTO_FREE char *blob = descriptor_blob(json_object_get(manifest, "config"), &digest,
					       fault);

	if (!blob || read_config(plan, blobs, blob, digest, fault) < 0 ||
	    check_count(plan, json_array_size(layers), fault) < 0)
		return -1;
	for (size_t i = 0; i < plan->layer_count; i++) {
		struct plan_layer *layer = &plan->layers[i];

		layer->blob = descriptor_blob(json_array_get(layers, i), &digest, fault);
		if (!layer->blob)
			return -1;
		strcpy(layer->digest, digest);
	}
	return 0;
}

static bool word_fits(const json_t *platform, const char *key, const char *want)
{
	const char *word = json_text(platform, key);

	return !want || !*word || !strcmp(word, want);
}

static bool platform_fits(const json_t *descriptor, const struct plan_choice *choice)
{
	const json_t *platform = json_object_get(descriptor, "platform");

	return word_fits(platform, "os", choice->os) &&
	       word_fits(platform, "architecture", choice->architecture) &&
	       word_fits(platform, "variant", choice->variant);
}

static bool is_index(const json_t *document)
{
	return json_is_array(json_object_get(document, "manifests"));
}

/* The manifest that @descriptor leads to on this platform. NULL, no fault: none. */
static json_t *find_manifest(const struct blobs *blobs, const json_t *descriptor,
			     const struct plan_choice *choice, int depth,
			     struct fault *fault)
{
	AUTO_JSON *document = NULL;
	json_t *manifest, *entry;
	size_t i;

	if (!platform_fits(descriptor, choice))
		return NULL;
	document = read_descriptor(blobs, descriptor, fault);
	if (!document)
		return NULL;
	if (!is_index(document)) {
		manifest = document;
		document = NULL;
		return manifest;
	}
	if (depth >= DEPTH_MAX) {
		fault_set(fault, EXIT_ARCHIVE, "its indexes are nested too deep");
		return NULL;
	}
	json_array_foreach(json_object_get(document, "manifests"), i, entry) {
		manifest = find_manifest(blobs, entry, choice, depth + 1, fault);
		if (manifest || fault->text)
			return manifest;
	}
	return NULL;
}

static const char *descriptor_name(const json_t *descriptor)
{
	const json_t *annotations = json_object_get(descriptor, "annotations");
	const char *name = json_text(annotations, "io.containerd.image.name");

	return *name ? name : json_text(annotations, "org.opencontainers.image.ref.name");
}

/* A tag alone says nothing in a store of many images. */
static int add_reference(struct plan *plan, const char *reference,
			 const struct plan_choice *choice, struct fault *fault)
{
	AUTO_FREE char *name = NULL;

	if (!*reference)
		return 0;
	if (strpbrk(reference, "/:"))
		return add_name(plan, reference, fault);
	if (asprintf(&name, "%s:%s", choice->source, reference) < 0) {
		name = NULL;
		return fault_no_memory(fault);
	}
	return add_name(plan, name, fault);
}

static bool seen(const struct json_t *names, const char *name)
{
	return json_object_get(names, name) != NULL;
}

static int read_oci(struct plans *plans, const struct blobs *blobs,
		    const struct plan_choice *choice, struct fault *fault)
{
	AUTO_FD fd = blobs_open(blobs, "index.json", fault);
	AUTO_JSON *index = fd < 0 ? NULL : jsonfile_read_fd(fd, fault);
	AUTO_JSON *names = json_object();
	json_t *entry;
	size_t i;

	if (!index)
		return fd < 0 ? -1 : fault_wrap(fault, "\"index.json\" of the image");
	if (!is_index(index))
		return fault_set(fault, EXIT_ARCHIVE,
				 "\"index.json\" of the image has no list of manifests");
	json_array_foreach(json_object_get(index, "manifests"), i, entry) {
		const char *name = descriptor_name(entry);
		AUTO_JSON *manifest = NULL;
		struct plan *plan;

		/* Of several under one name, the first that fits. */
		if ((choice->reference && strcmp(choice->reference, name)) || seen(names, name))
			continue;
		manifest = find_manifest(blobs, entry, choice, 0, fault);
		if (!manifest && fault->text)
			return -1;
		if (!manifest)
			continue;
		plan = add_plan(plans, fault);
		if (!plan || read_oci_manifest(plan, blobs, manifest, fault) < 0 ||
		    add_reference(plan, name, choice, fault) < 0 ||
		    json_set(names, name, json_true(), fault) < 0)
			return -1;
	}
	return 0;
}

static int read_docker_image(struct plan *plan, const struct blobs *blobs,
			     const json_t *image, struct fault *fault)
{
	const char *config = json_text(image, "Config");
	const json_t *layers = json_object_get(image, "Layers");
	const json_t *tag;
	size_t i;

	if (read_config(plan, blobs, config, "", fault) < 0 ||
	    check_count(plan, json_array_size(layers), fault) < 0)
		return -1;
	/* Its file is named after its digest, so that it can be checked. */
	if (strspn(config, "0123456789abcdef") == 64 && !strcmp(config + 64, ".json") &&
	    strncmp(config, plan->id, 64))
		return fault_set(fault, EXIT_ARCHIVE,
				 "\"%s\" of the image is damaged: its digest is sha256:%s",
				 config, plan->id);
	for (i = 0; i < plan->layer_count; i++) {
		const char *blob = json_string_value(json_array_get(layers, i));

		if (!blob)
			return fault_set(fault, EXIT_ARCHIVE,
					 "the manifest does not name the file of layer %zu", i + 1);
		plan->layers[i].blob = strdup(blob);
		if (!plan->layers[i].blob)
			return fault_no_memory(fault);
	}
	json_array_foreach(json_object_get(image, "RepoTags"), i, tag) {
		if (json_is_string(tag) && add_name(plan, json_string_value(tag), fault) < 0)
			return -1;
	}
	return 0;
}

static bool has_name(const json_t *image, const char *name)
{
	const json_t *tag;
	size_t i;

	json_array_foreach(json_object_get(image, "RepoTags"), i, tag) {
		if (json_is_string(tag) && !strcmp(json_string_value(tag), name))
			return true;
	}
	return false;
}

static int read_docker(struct plans *plans, const struct blobs *blobs,
		       const struct plan_choice *choice, struct fault *fault)
{
	AUTO_FD fd = blobs_open(blobs, "manifest.json", fault);
	AUTO_JSON *manifest = fd < 0 ? NULL : jsonfile_read_fd(fd, fault);
	json_t *image;
	size_t i;

	if (!manifest)
		return fd < 0 ? -1 : fault_wrap(fault, "\"manifest.json\" of the image");
	if (!json_is_array(manifest))
		return fault_set(fault, EXIT_ARCHIVE,
				 "\"manifest.json\" of the image is not a list");
	json_array_foreach(manifest, i, image) {
		struct plan *plan;

		if (choice->reference && !has_name(image, choice->reference))
			continue;
		plan = add_plan(plans, fault);
		if (!plan || read_docker_image(plan, blobs, image, fault) < 0)
			return -1;
	}
	return 0;
}

int plans_read(struct plans *plans, const struct blobs *blobs,
	       const struct plan_choice *choice, struct fault *fault)
{
	/* What has both is an OCI layout that older tools read, too. */
	bool oci = blobs_have(blobs, "index.json");

	if (!oci && !blobs_have(blobs, "manifest.json")) {
		fault_set(fault, EXIT_ARCHIVE, "it holds neither index.json nor manifest.json");
		return fault_advise(fault, "an OCI layout has the one, what docker save writes the other");
	}
	if ((oci ? read_oci : read_docker)(plans, blobs, choice, fault) < 0)
		return -1;
	if (plans->count)
		return 0;
	if (choice->reference)
		return fault_set(fault, EXIT_ARCHIVE, "it holds no image named \"%s\" for %s/%s",
				 choice->reference, choice->os, choice->architecture);
	return fault_set(fault, EXIT_ARCHIVE, "it holds no image for %s/%s", choice->os,
			 choice->architecture);
}

int plans_from_config(struct plans *plans, const json_t *config, struct fault *fault)
{
	struct plan *plan = add_plan(plans, fault);
	char digest[DIGEST_TEXT_SIZE];

	if (!plan)
		return -1;
	plan->parsed = json_deep_copy(config);
	plan->config = plan->parsed ? json_dumps(config, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	if (!plan->config)
		return fault_no_memory(fault);
	plan->config_length = strlen(plan->config);
	if (digest_bytes(plan->config, plan->config_length, digest, fault) < 0)
		return -1;
	snprintf(plan->id, sizeof(plan->id), "%s", digest + 7);
	return check_config(plan, fault);
}

int plans_single(struct plans *plans, const char *diff_id,
		 const struct plan_choice *choice, struct fault *fault)
{
	AUTO_JSON *config = NULL;
	char now[TIME_SIZE];

	store_now(now);
	config = json_pack("{s:s, s:s, s:s, s:{}, s:{s:s, s:[s]}, s:[{s:s, s:s}]}",
			   "created", now, "architecture", choice->architecture,
			   "os", choice->os, "config", "rootfs", "type", "layers",
			   "diff_ids", diff_id, "history", "created", now,
			   "created_by", "veneer image import");
	return config ? plans_from_config(plans, config, fault) : fault_no_memory(fault);
}
