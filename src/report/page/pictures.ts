import { featureMethod, usesErasing } from '../../methods/methods.js';
import { type Markup, markup } from '../drawing/markup.js';
import type { AttentionOfRun, GalleryQuery, RankedRow, ShownPictures } from '../pictures/shown-pictures.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { breakable, figureOf, notice, paragraph, percent, pictureOf, type Section } from './parts.js';

/** The nearest pictures of some queries. */
export function gallerySection({ galleries, missing }: ShownPictures): Section {
  return {
    id: 'retrieval',
    title: 'Retrieved images',
    content: [
      ...missing.map(notice),
      ...(galleries.length === 0
        ? []
        : [
            paragraph(
              `The ten nearest images of the database for queries from the best to the worst average precision${galleries[0]!.rows.length === 1 ? '' : ` of ${galleries[0]!.rows[0]!.run}`}, at equal distances. A solid frame and ✓ mark images of the query’s class, a dashed frame and ✗ all others. The number is the Hamming distance.`,
            ),
            ...galleries.map(galleryOf),
          ]),
    ],
  };
}

function galleryOf({ query, rows }: GalleryQuery): Markup {
  return markup`
<div class="query">
<div class="asked">${pictureOf(query, `Query of the class ${query.className}`)}
<p><strong>${breakable(query.className)}</strong><br><span class="quiet">${breakable(query.path)}</span></p></div>
<div class="${rows.length === 1 ? 'gallery alone' : 'gallery'}">${rows.map((row) => rankedRow(row, query.className))}</div>
</div>`;
}

function rankedRow({ run, averagePrecision, found }: RankedRow, className: string): Markup {
  const right = found.filter(({ isRight }) => isRight).length;
  const items = found.map(
    (each, index) => markup`
<li class="${each.isRight ? 'right' : 'wrong'}">${pictureOf(each, `Result ${index + 1} for ${className}: ${each.className}, ${each.isRight ? 'right' : 'wrong'}`)}
<b>${each.isRight ? '✓' : '✗'}</b> ${each.distance}${each.isRight ? null : markup`<br>${breakable(each.className)}`}</li>`,
  );
  return markup`
<div><h3>${run}: ${right} of ${found.length} right, average precision ${figureOf(averagePrecision)}</h3>
<ol class="ranked">${items}</ol></div>`;
}

/** What the networks attend to, and what SREM erases. */
export function attentionSection(
  runs: readonly MeasuredRun[],
  { attention, missing }: ShownPictures,
): Section {
  return {
    id: 'attention',
    title: 'Attention and erased regions',
    content: [
      ...(attention.length === 0 ? missing.map(notice) : []),
      ...attention.flatMap((each) => attentionOf(runs.find(({ name }) => name === each.run)!, each)),
    ],
  };
}

function attentionOf({ trained, name }: MeasuredRun, { pictures, reason }: AttentionOfRun): Markup[] {
  const { method, erasing } = trained.spec;
  const heading = markup`<h3>${name}</h3>`;
  if (reason !== null) return [heading, notice(reason)];
  const isTrained = featureMethod(method) === null;
  const network = isTrained
    ? 'the network of the checkpoint'
    : 'the pretrained backbone, which this method does not train,';
  const sentence = `Attention is the mean of the last feature maps of ${network}${isTrained ? ',' : ''} scaled from 0 (blue) to 1 (yellow).`;
  const erased = usesErasing(method)
    ? ` SREM erases squares of ${erasing.size} pixels whose left upper corners are the ${erasing.regions} hottest pixels, and the network learns to give the erased image the same code. The outline is only in these pictures. The maps here use the running statistics of batch normalisation, as for queries; training uses those of each microbatch, so its regions can differ a little.`
    : ` The method ${method} erases nothing, so there are no erased images.`;
  const { head, own } = trained.layout;
  const ofMethod =
    (head.attention
      ? ' The network first multiplies each picture by a saliency map, which is not shown.'
      : '') + (own ? ' The attention of the single parts is not shown.' : '');
  const triples = pictures.map(
    ({ picture, input, attention, erased: without, erasedShare }) => markup`
<figure><div class="triple">
<div>${pictureOf({ ...picture, uri: input }, `Image of the class ${picture.className}, as the network sees it`)}<span>image</span></div>
<div>${pictureOf({ ...picture, uri: attention }, `Attention of ${name} over the image of the class ${picture.className}`)}<span>attention</span></div>
${without === null ? null : markup`<div>${pictureOf({ ...picture, uri: without }, `The image of the class ${picture.className} without the regions that SREM erases`)}<span>erased ${percent(erasedShare ?? 0)}</span></div>`}
</div><figcaption>${breakable(picture.className)}</figcaption></figure>`,
  );
  return [heading, paragraph(sentence + ofMethod + erased), markup`<div class="attention">${triples}</div>`];
}
