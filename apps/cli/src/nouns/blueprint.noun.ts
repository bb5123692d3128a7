import {
  Blueprint,
  BlueprintServiceService,
  DefineBlueprintRequest,
  GetBlueprintRequest,
  ListBlueprintsRequest,
  ListBlueprintsResponse,
  RetireBlueprintRequest,
} from '@writ/contracts/writ/registry/v1/blueprint.js';
import { etag, flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { column, listOf, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';

const { defineBlueprint, getBlueprint, listBlueprints, retireBlueprint } = BlueprintServiceService;

const blueprint = shape([
  column('id', 'blueprintId'),
  column('name', 'displayName'),
  column('state', 'state'),
  column('owner', 'owner'),
  column('sensitivity at most', 'sensitivityMax'),
  wide('defined', 'defineTime'),
  wide('etag', 'etag'),
]);
const id = idArgument('blueprint');

export const blueprintNoun: Noun = {
  name: 'blueprint',
  doc: 'what many agents have in common; one switch stops a whole family',
  verbs: [
    {
      name: 'define',
      doc: 'define a family of agents',
      rpc: unary('registry', defineBlueprint, DefineBlueprintRequest, Blueprint),
      shape: blueprint,
      file: true,
      options: [
        flag('name', 'what people call it', { field: 'display_name', required: true }),
        flag('owner', 'the team that runs its agents'),
        flag('provenance', 'digests, as in `model_digest=sha-256:…`'),
        flag('sensitivity-max', 'the most sensitive data that its agents may touch'),
      ],
    },
    {
      name: 'get',
      doc: 'show one blueprint',
      args: [id],
      rpc: unary('registry', getBlueprint, GetBlueprintRequest, Blueprint),
      shape: blueprint,
    },
    {
      name: 'list',
      doc: 'list blueprints',
      rpc: unary('registry', listBlueprints, ListBlueprintsRequest, ListBlueprintsResponse),
      shape: listOf('blueprints', blueprint),
      pages: 'blueprints',
    },
    {
      name: 'retire',
      doc: 'end a family: no agent can be registered for it any more',
      args: [id],
      options: [etag],
      rpc: unary('registry', retireBlueprint, RetireBlueprintRequest, Blueprint),
      shape: blueprint,
      confirm: { kind: 'typed', field: 'blueprint_id', question: 'this cannot be undone' },
    },
  ],
};
